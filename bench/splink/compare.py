#!/usr/bin/env python3
"""Runs each system RUNS times on one set, prints a table with the ratios, and draws the chart.

The systems take turns, so that a busy machine slows all of them alike. Seconds are wall clock, from
the gzip files to the predictions file. F1 is that of leads by `crm-sync evaluate`, at each system's
own threshold.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def ours(crm_sync, files, out):
    told = json.loads(run([
        crm_sync, "match", "--people", files["people"], "--companies", files["companies"], "--lead", files["leads"],
        "--out", out, "--json",
    ]))
    return {"seconds": told["seconds"]["all"], "peak_bytes": told["peak_memory_bytes"]}


def splink(model, files, out):
    told = run([
        sys.executable, f"{HERE}/link.py", files["people"], files["companies"], files["leads"], out, "--model", model,
    ])
    return json.loads(told.strip().splitlines()[-1])


def quality(crm_sync, truth, predictions):
    told = json.loads(run([crm_sync, "evaluate", truth, predictions, "--object", "Lead", "--json"]))
    return told[0]["at_threshold"]


def chart(rows, people, leads, path):
    """Two panels of bars, time and memory, with the figures written beside them."""
    panels = [("seconds, end to end", "seconds", 1, "s"), ("peak memory", "peak_bytes", 1 << 20, "MiB")]
    width, left, bar, gap, scale = 720, 150, 26, 12, 400
    height = 56 + len(panels) * (40 + len(rows) * (bar + gap))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="28" font-size="16">{people:,} people, {leads:,} leads: less is better</text>',
    ]
    top = 56
    for title, key, unit, name in panels:
        parts.append(f'<text x="16" y="{top + 12}" fill="#555555">{title}</text>')
        top += 26
        most = max(r[key] for r in rows)
        for r in rows:
            length = max(2, scale * r[key] / most)
            colour = "#1b6ca8" if r["system"] == "crm-sync" else "#b8b8b8"
            value = r[key] / unit
            label = f"{value:.1f} {name}" if value < 100 else f"{value:.0f} {name}"
            note = f"  (F1 {r['f1']:.3f})" if key == "seconds" else ""
            parts += [
                f'<text x="{left - 8}" y="{top + 18}" text-anchor="end">{r["system"]}</text>',
                f'<rect x="{left}" y="{top}" width="{length:.1f}" height="{bar}" fill="{colour}"/>',
                f'<text x="{left + length + 8:.1f}" y="{top + 18}">{label}{note}</text>',
            ]
            top += bar + gap
        top += 14
    parts.append("</svg>\n")
    with open(path, "w", encoding="utf8") as file:
        file.write("\n".join(parts))


def count(path):
    import gzip
    with gzip.open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("crm_sync")
    arguments.add_argument("set")
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--chart")
    arguments.add_argument("--models", default="simple,full")
    arguments = arguments.parse_args()
    crm_sync = os.path.abspath(arguments.crm_sync)
    files = {
        "people": f"{arguments.set}/profiles.jsonl.gz",
        "companies": f"{arguments.set}/companies.jsonl.gz",
        "leads": f"{arguments.set}/Lead.csv.gz",
    }
    truth = f"{arguments.set}/truth.csv.gz"
    systems = {"crm-sync": lambda out: ours(crm_sync, files, out)}
    for model in arguments.models.split(","):
        systems[f"splink {model}"] = lambda out, model=model: splink(model, files, out)
    seen = {name: [] for name in systems}
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.runs):
            for name, system in systems.items():
                out = f"{folder}/predictions.csv"
                seen[name].append(system(out))
                found[name] = quality(crm_sync, truth, out)
                print(f"run {turn + 1}: {name}: {seen[name][-1]['seconds']:.1f} s", file=sys.stderr)
    rows = []
    for name, of in seen.items():
        seconds = [r["seconds"] for r in of]
        rows.append({
            "system": name, "seconds": statistics.median(seconds), "range": [min(seconds), max(seconds)],
            "peak_bytes": max(r["peak_bytes"] for r in of), "precision": found[name]["precision"],
            "recall": found[name]["recall"], "f1": found[name]["f1"],
        })
    mine = rows[0]
    print("| system | seconds: median (range) | against ours | peak memory | P | R | F1 |")
    print("|---|---|---|---|---|---|---|")
    for r in rows:
        print(
            f"| {r['system']} | {r['seconds']:.1f} ({r['range'][0]:.1f}–{r['range'][1]:.1f}) | "
            f"{r['seconds'] / mine['seconds']:.1f}× | {r['peak_bytes'] / (1 << 20):.0f} MiB | {r['precision']:.3f} | "
            f"{r['recall']:.3f} | {r['f1']:.3f} |"
        )
    if arguments.chart:
        chart(rows, count(files["people"]), count(files["leads"]) - 1, arguments.chart)


if __name__ == "__main__":
    main()
