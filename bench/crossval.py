#!/usr/bin/env python3
"""Two-fold cross-validation on a labelled set, by way of the command line alone.

    bench/crossval.py CRM_SYNC SET [--folds 2]

Records are dealt to folds by their true entity, or by their own id if they have none, so that no
entity is on both sides. For each fold a model is trained, from the untrained one, on the labels of
the other folds. It then judges the fold's own records. Prints the output of `crm-sync evaluate` and
`crm-sync calibration` for all folds together.
"""
import argparse
import csv
import gzip
import os
import subprocess
import tempfile
import zlib


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("crm_sync")
    arguments.add_argument("set")
    arguments.add_argument("--folds", type=int, default=2)
    arguments = arguments.parse_args()
    crm_sync = os.path.abspath(arguments.crm_sync)
    path = lambda name: os.path.join(arguments.set, name)
    files = ["--people", path("profiles.jsonl.gz"), "--companies", path("companies.jsonl.gz")]
    for option, name in (("--lead", "Lead"), ("--contact", "Contact"), ("--account", "Account")):
        if os.path.exists(path(f"{name}.csv.gz")):
            files += [option, path(f"{name}.csv.gz")]

    with gzip.open(path("truth.csv.gz"), "rt", encoding="utf8", newline="") as file:
        truth = list(csv.DictReader(file))
    fold = {r["crm_id"]: zlib.crc32((r["profile_id"] or r["crm_id"]).encode()) % arguments.folds for r in truth}

    def run(*words):
        return subprocess.run([crm_sync, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        joined = {"predictions": [], "candidates": []}
        for number in range(arguments.folds):
            with open(at("labels.csv"), "w", encoding="utf8", newline="") as file:
                rows = csv.DictWriter(file, truth[0].keys())
                rows.writeheader()
                rows.writerows(r for r in truth if fold[r["crm_id"]] != number)
            run("train", "--untrained", "--version", "fold", "--out", at("model.json"), "--truth", at("labels.csv"), *files)
            outputs = {name: at(f"{name}.csv") for name in joined}
            run("match", "--model", at("model.json"), "--out", outputs["predictions"], "--candidates", outputs["candidates"], *files)
            for name, output in outputs.items():
                with open(output, encoding="utf8", newline="") as file:
                    joined[name] += [r for r in csv.DictReader(file) if fold.get(r["crm_id"]) == number]
        for name, rows in joined.items():
            with open(at(f"all-{name}.csv"), "w", encoding="utf8", newline="") as file:
                writer = csv.DictWriter(file, rows[0].keys())
                writer.writeheader()
                writer.writerows(rows)
        print(run("evaluate", path("truth.csv.gz"), at("all-predictions.csv")))
        print(run("calibration", path("truth.csv.gz"), at("all-candidates.csv")))


if __name__ == "__main__":
    main()
