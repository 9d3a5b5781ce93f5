#!/usr/bin/env python3
"""Measures the worth of each comparison:  bench/ablation.py CRM_SYNC SET MODEL.json

Matches the set once with the model as it is, and once for each comparison with that comparison's
weights set to zero. The others are not trained anew, so this is the most that its loss can cost.
Prints the best F1 with and without.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

crm_sync, folder, model_path = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
model = json.load(open(model_path, encoding="utf8"))
path = lambda name: os.path.join(folder, name)
directory = ["--people", path("profiles.jsonl.gz"), "--companies", path("companies.jsonl.gz")]
sides = {
    "person": ("person", ["--lead", path("Lead.csv.gz"), "--contact", path("Contact.csv.gz"), "--account", path("Account.csv.gz")]),
    "company": ("Account", ["--account", path("Account.csv.gz")]),
}


def run(*words):
    return subprocess.run([crm_sync, *words], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


with tempfile.TemporaryDirectory() as scratch:
    at = lambda name: os.path.join(scratch, name)
    run("index", "build", at("index"), *directory)

    def quality(changed, kind):
        with open(at("model.json"), "w", encoding="utf8") as file:
            json.dump(changed, file)
        selection, files = sides[kind]
        run("match", "--index", at("index"), "--model", at("model.json"), "--out", at("p.csv"), *files)
        return json.loads(run("evaluate", path("truth.csv.gz"), at("p.csv"), "--object", selection, "--json"))[0]["best_f1"]["f1"]

    for kind in sides:
        whole = quality(model, kind)
        print(f"| {kind} without | best F1 | lost |\n|---|---|---|\n| nothing | {whole:.4f} | |")
        lost = []
        for number, comparison in enumerate(model[kind]["comparisons"]):
            changed = copy.deepcopy(model)
            for level in changed[kind]["comparisons"][number]["levels"]:
                level["weight"] = level["rarity"] = 0.0
            f1 = quality(changed, kind)
            lost.append((f1, comparison["name"].replace("_", " ")))
        for f1, name in sorted(lost):
            print(f"| {name} | {f1:.4f} | {whole - f1:+.4f} |")
        print()
