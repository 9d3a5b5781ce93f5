"""Reads the lines of `run.sh`, and prints how long each reader takes beside crm-sync: medians of the runs."""

import json
import sys
from statistics import median

readers = {}
for line in sys.stdin:
    run = json.loads(line)
    # A record of crm-sync's is any of the org's; the others read its contacts only.
    figures = readers.setdefault(run["client"], {"clock": [], "processor": []})
    figures["clock"].append(run["seconds"] / run["records"])
    figures["processor"].append(run["processor_seconds"] / run["records"])
ours = readers["crm-sync"]
print("| reader | rows/s by the clock | rows/s of a core | times crm-sync's clock | times crm-sync's core |")
print("|---|---|---|---|---|")
for name, figures in readers.items():
    clock, core = median(figures["clock"]), median(figures["processor"])
    print(f"| {name} | {1 / clock:,.0f} | {1 / core:,.0f} | {clock / median(ours['clock']):.1f} | {core / median(ours['processor']):.1f} |")
