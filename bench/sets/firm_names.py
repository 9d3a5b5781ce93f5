#!/usr/bin/env python3
"""Makes a labelled set of companies of which nothing is known but the name.

    bench/sets/firm_names.py OUT [--companies 4000] [--seed 1]

Names are a founder or a made word with a trade. The noise is that of lists which were merged:
another legal form or none, words cut short, words left out, hyphens and `&`, an old letter case, a
list's maximum width, a note in brackets. Four in ten records are firms that the directory does not
have, half of them look like one that it has. Only the standard library is used, and no noise is
shared with the other sets.
"""
import argparse
import csv
import json
import os
import random

CONSONANTS, VOWELS = "b br c d dr f fl g gr h k l m n p pl r s st t tr v z".split(), "a e i o u ai eo".split()
TRADES = "Advisory Aggregates Analytics Biologics Castings Ceramics Components Controls Couriers Diagnostics " \
    "Fabrication Fasteners Filtration Forwarding Freight Genetics Hydraulics Instruments Interiors Lighting " \
    "Logistics Marine Metals Mining Nutrition Optics Packaging Petroleum Polymers Precision Refrigeration " \
    "Robotics Semiconductors Sensors Shipping Software Textiles Timber Turbines Ventures".split()
QUALITY = "Advanced Allied Atlantic Central Consolidated Continental Eastern General Global National Northern " \
    "Pacific Premier Southern Superior Trans United Universal Western".split()
FORMS = ["Inc.", "LLC", "Ltd", "GmbH", "S.A.", "Corp.", "AG", "B.V.", "PLC", "Pty Ltd", "Oy", "SpA"]
CUT = {"Instruments": "Instr", "Components": "Comp.", "International": "Intl", "Petroleum": "Petr", "Logistics": "Log.",
       "Fabrication": "Fab", "Diagnostics": "Dx", "Refrigeration": "Refrig", "Consolidated": "Cons.", "National": "Natl",
       "Advanced": "Adv", "General": "Gen", "Packaging": "Pkg", "Semiconductors": "Semi"}


def word(rng):
    return "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(rng.choice((2, 2, 3)))).capitalize()


def name(rng, words):
    parts = [rng.choice(words) if rng.random() < 0.6 else word(rng)]
    if rng.random() < 0.25:
        parts.insert(0, rng.choice(QUALITY))
    if rng.random() < 0.15:
        parts += ["and", rng.choice(words)]
    parts.append(rng.choice(TRADES))
    if rng.random() < 0.12:
        parts.append("International")
    return parts


def listed(rng, parts):
    """A name as another list has it."""
    parts = list(parts)
    if rng.random() < 0.3:
        parts = [CUT.get(part, part) for part in parts]
    if len(parts) > 2 and rng.random() < 0.15:
        parts.pop(rng.randrange(1, len(parts)))
    if "and" in parts and rng.random() < 0.6:
        parts[parts.index("and")] = "&"
    text = " ".join(parts)
    if rng.random() < 0.08:
        at = rng.randrange(1, len(text) - 1)
        text = text[:at] + rng.choice("aeiourstln") + text[at + 1:]
    if rng.random() < 0.06:
        text = text.replace(" ", "-", 1)
    if rng.random() < 0.5:
        text += " " + rng.choice(FORMS)
    if rng.random() < 0.06:
        text += f" ({rng.choice(('old', 'do not use', 'EMEA', 'HQ', 'via partner'))})"
    if rng.random() < 0.25:
        text = text.upper()
    return text[:28].strip() if rng.random() < 0.1 else text


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--companies", type=int, default=4000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    rng = random.Random(arguments.seed)
    words = [word(rng) for _ in range(700)]
    seen, firms = set(), []
    while len(firms) < arguments.companies:
        parts = name(rng, words)
        if tuple(parts) not in seen:
            seen.add(tuple(parts))
            firms.append(parts)
    os.makedirs(arguments.out, exist_ok=True)
    at = lambda name: os.path.join(arguments.out, name)
    with open(at("companies.jsonl"), "w", encoding="utf8") as file:
        for number, parts in enumerate(firms):
            text = " ".join(parts) + (" " + rng.choice(FORMS) if rng.random() < 0.7 else "")
            file.write(json.dumps({"id": f"fn_{number}", "name": text}) + "\n")
    records = [(parts, f"fn_{number}") for number, parts in enumerate(firms) if rng.random() < 0.5]
    for _ in range(len(records) * 2 // 3):
        parts = list(rng.choice(firms)) if rng.random() < 0.5 else name(rng, words)
        if rng.random() < 0.7:
            parts[-1] = rng.choice(TRADES)
        else:
            parts[0] = word(rng)
        if tuple(parts) not in seen:
            records.append((parts, ""))
    rng.shuffle(records)
    with open(at("Account.csv"), "w", encoding="utf8", newline="") as file, \
            open(at("truth.csv"), "w", encoding="utf8", newline="") as truth:
        rows, answers = csv.writer(file), csv.writer(truth)
        rows.writerow(["Id", "Name"])
        answers.writerow("crm_id profile_id object case".split())
        for number, (parts, entity) in enumerate(records):
            crm = f"001Fn{number:010d}"
            rows.writerow([crm, listed(rng, parts)])
            answers.writerow([crm, entity, "Account", "match" if entity else "nobody"])


if __name__ == "__main__":
    main()
