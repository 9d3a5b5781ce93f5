#!/usr/bin/env python3
"""Times crm-sync from the gzip files to the predictions, and checks what must hold.

Each set is matched RUNS times on two threads, the sets in turn, and once on one thread. Prints the
median and the range of the wall clock, the processor's seconds, the peak memory, and the growth of
the time per record from the small set to the large. Ends with 1 if predictions differ between runs
or threads, if a record or an entity is matched twice, or if a set is below its floor of quality.
"""
import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile

PEOPLE_FILES = ("profiles.jsonl.gz", "people.jsonl.gz")
PRECISION, F1 = 0.92, 0.83


def load():
    with open("/proc/loadavg", encoding="ascii") as file:
        return file.read().split()[0]


def files(folder):
    at = lambda name: os.path.join(folder, name)
    people = next(at(name) for name in PEOPLE_FILES if os.path.exists(at(name)))
    options = ["--people", people, "--companies", at("companies.jsonl.gz"), "--lead", at("Lead.csv.gz")]
    contacts = at("Contact.csv.gz")
    if os.path.exists(contacts):
        options += ["--contact", contacts, "--account", at("Account.csv.gz")]
    return options


def match(crm_sync, folder, threads, out):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(
        [crm_sync, "match", *files(folder), "--threads", str(threads), "--out", out, "--json"],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads(told.stdout)
    with open(out, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    return {
        "wall": told["seconds"]["all"],
        "directory": told["seconds"]["directory"],
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak": told["peak_memory_bytes"],
        "records": sum(counts["records"] for counts in told["objects"].values()),
        "digest": digest,
    }


def quality(crm_sync, folder, out):
    told = subprocess.run(
        [crm_sync, "evaluate", os.path.join(folder, "truth.csv.gz"), out, "--object", "person", "--json"],
        check=True, stdout=subprocess.PIPE, text=True,
    )
    return json.loads(told.stdout)[0]


def figures(runs, key):
    values = [run[key] for run in runs]
    return f"{statistics.median(values):.1f} ({min(values):.1f}–{max(values):.1f})"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("crm_sync")
    arguments.add_argument("small")
    arguments.add_argument("large")
    arguments.add_argument("--runs", type=int, default=5)
    arguments = arguments.parse_args()
    sets, faults = (arguments.small, arguments.large), []
    with tempfile.TemporaryDirectory() as folder:
        out = lambda at: os.path.join(folder, f"predictions-{at}.csv")
        runs = {folder: [] for folder in sets}
        for number in range(arguments.runs):
            for at, folder_of_set in enumerate(sets):
                runs[folder_of_set].append(match(arguments.crm_sync, folder_of_set, 2, out(at)))
                print(f"run {number + 1} of {folder_of_set}: {runs[folder_of_set][-1]['wall']:.1f} s", file=sys.stderr)
        print(f"| set | records | seconds: median (range) of {arguments.runs} | of them the directory | CPU s | peak memory | "
              "µs a record | P | R | F1 | 1 and 2 threads |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        pace = []
        for at, name in enumerate(sets):
            alone = match(arguments.crm_sync, name, 1, out(at))
            alike = all(run["digest"] == alone["digest"] for run in runs[name])
            judged = quality(arguments.crm_sync, name, out(at))
            good = judged["at_threshold"]
            records = runs[name][0]["records"]
            wall = statistics.median(run["wall"] for run in runs[name])
            pace.append(wall / records)
            peak = max(run["peak"] for run in runs[name] + [alone])
            print(f"| {name} | {records:,} | {figures(runs[name], 'wall')} | {figures(runs[name], 'directory')} | "
                  f"{figures(runs[name], 'cpu')} | {peak / 2**20:.0f} MiB | {pace[-1] * 1e6:.1f} | {good['precision']:.3f} | "
                  f"{good['recall']:.3f} | {good['f1']:.3f} | {'the same bytes' if alike else 'DIFFERENT'} |")
            if not alike:
                faults.append(f"{name}: predictions differ between runs or threads")
            if judged["violations_crm"] or judged["violations_profile"]:
                faults.append(f"{name}: a record or an entity is matched twice")
            if good["precision"] < PRECISION or good["f1"] < F1:
                faults.append(f"{name}: precision {good['precision']:.3f}, F1 {good['f1']:.3f}")
    print(f"\nA record of the larger set takes {pace[1] / pace[0]:.2f} times as long. {os.cpu_count()} processors, load {load()} at the end.")
    for fault in faults:
        print(f"fault: {fault}", file=sys.stderr)
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
