#!/usr/bin/env python3
"""Prints a model's numbers as the tables of docs/matching.md.

    bench/model_table.py shared/matching/data/model.json
"""
import json
import sys

model = json.load(open(sys.argv[1], encoding="utf8"))
print(f"Model {model['version']}: match from {model['thresholds']['match']}, review from {model['thresholds']['review']}.\n")
for kind, what in (("person", "Leads and Contacts against people"), ("company", "Accounts against companies")):
    of = model[kind]
    print(f"{what}; \"nobody\" weighs {of['none_weight']:+.2f} bits.\n")
    print("| comparison | levels: bits (+ share of the rarity) |")
    print("|---|---|")
    for comparison in of["comparisons"]:
        levels = []
        for level in comparison["levels"]:
            if level["name"] == "null":
                continue
            rarity = f" + {level['rarity']:.2f} r" if level["rarity"] else ""
            levels.append(f"{level['name'].replace('_', ' ')} {level['weight']:+.1f}{rarity}")
        print(f"| {comparison['name'].replace('_', ' ')} | {' · '.join(levels)} |")
    print()
