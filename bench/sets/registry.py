#!/usr/bin/env python3
"""Makes a labelled set of people with addresses and employers, as a census or a register has them.

    bench/sets/registry.py OUT [--people 4000] [--seed 1]

Given names, family names, towns and employers are made of this file's own lists and patterns. The
CRM's leads are typed from forms: its noise is that of a typist (keys beside each other, letters
doubled or left out, fields in capitals, a married name, a move, a change of employer) and its gaps
are those of forms. One in three leads is nobody of the directory; families share a name and a town.
Only the standard library is used, and no noise is shared with the other sets.
"""
import argparse
import csv
import json
import os
import random

GIVEN = """Adela Agnes Albin Aldous Alma Amos Anselm Arlo Astrid Barnaby Beatrix Benno Blanca Bruno Calvin
Camilla Caspar Cecily Clement Conrad Cora Cosmo Cyril Dahlia Damian Delphine Dorian Edgar Edith Elias Elmer
Elsa Emeric Enid Esther Eugene Fabian Felix Flora Gaston Gideon Gilda Greta Hedwig Hector Helga Hugo Ida Ines
Isidor Ivo Jonas Judith Julius Katya Klara Lambert Lars Leonora Linus Lotte Lucius Mabel Magnus Marcel Mathilda
Maurice Milo Mina Nestor Nora Oscar Otto Petra Quentin Rafael Ramona Regina Roland Rosalind Rufus Sabina Saul
Selma Sigrid Silas Stella Tamsin Theodora Tobias Ulrich Ursula Valentin Vera Victor Viola Walter Wanda Xavier
Yvonne Zelda Zeno""".split()
START = "Ash Birch Black Bram Brook Carr Clay Cold Cran Dun Elm Fair Fen Ford Gar Glen Gold Green Hal Hart Hazel " \
    "Hol Kings Lang Lind Mar Mead Mill Nor Oak Old Pen Quarr Rad Raven Red Ros Sand Sel Shel Stan Stock Strat " \
    "Thorn Wal War Wen Whit Win Wood York".split()
END = "acre berg bridge bury by combe cott croft dale den fell field ford gate grove ham hurst ley low man mere " \
    "mond more quist ridge sen son stead stock ston stone stow ton tree vale wall ward water well wick wood worth".split()
TOWNS = [s + e for s in START[::2] for e in ("borough", "haven", "port", "minster")]
TRADE = "Bakery Brewery Cannery Carriers Chandlery Dairy Drapers Dyeworks Foundry Glassworks Joinery Laundry " \
    "Maltings Nursery Pottery Printers Quarry Ropewalk Sawmill Shipyard Tannery Tileworks Weavers".split()
JOBS = "Baker Bookkeeper Carpenter Clerk Cook Draper Driver Engineer Fitter Foreman Gardener Glazier Inspector " \
    "Machinist Mason Nurse Painter Porter Potter Printer Sawyer Surveyor Tailor Teacher Weaver".split()
KEYS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]
BESIDE = {}
for row in KEYS:
    for at, key in enumerate(row):
        BESIDE[key] = row[max(0, at - 1):at] + row[at + 1:at + 2]


def typed(rng, text):
    """One slip of a typist."""
    if len(text) < 3:
        return text
    at = rng.randrange(1, len(text))
    kind = rng.random()
    letter = text[at].lower()
    if kind < 0.4 and letter in BESIDE:
        return text[:at] + rng.choice(BESIDE[letter]) + text[at + 1:]
    if kind < 0.6:
        return text[:at] + text[at] + text[at:]
    if kind < 0.8:
        return text[:at] + text[at + 1:]
    return text[:at - 1] + text[at] + text[at - 1] + text[at + 1:] if at > 1 else text


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--people", type=int, default=4000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    rng = random.Random(arguments.seed)
    families = [s + e for s in START for e in END]
    rng.shuffle(families)
    # A few names are common, most are not.
    family = lambda: families[min(int(rng.paretovariate(0.6)) - 1, len(families) - 1) % len(families)]
    employers = [f"{rng.choice(families)} {rng.choice(TRADE)}" for _ in range(400)]
    people = []
    while len(people) < arguments.people:
        name, town = family(), rng.choice(TOWNS)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            people.append(dict(first=rng.choice(GIVEN), last=name, town=town,
                               employer=rng.choice(employers), job=rng.choice(JOBS)))
    people = people[:arguments.people]
    outside = [dict(first=rng.choice(GIVEN), last=family(), town=rng.choice(TOWNS),
                    employer=rng.choice(employers), job=rng.choice(JOBS)) for _ in range(arguments.people // 3)]
    os.makedirs(arguments.out, exist_ok=True)
    at = lambda name: os.path.join(arguments.out, name)
    with open(at("profiles.jsonl"), "w", encoding="utf8") as file:
        for number, p in enumerate(people):
            row = {"id": f"rg_{number}", "first_name": p["first"], "last_name": p["last"], "title": p["job"],
                   "company": {"name": p["employer"]}, "city": p["town"], "country": "United Kingdom"}
            file.write(json.dumps(row) + "\n")
    leads = [(p, f"rg_{number}") for number, p in enumerate(people) if rng.random() < 0.6]
    leads += [(p, "") for p in outside]
    rng.shuffle(leads)
    with open(at("Lead.csv"), "w", encoding="utf8", newline="") as file, \
            open(at("truth.csv"), "w", encoding="utf8", newline="") as truth:
        rows, answers = csv.writer(file), csv.writer(truth)
        rows.writerow("Id FirstName LastName Title Company City Country".split())
        answers.writerow("crm_id profile_id object case".split())
        for number, (p, entity) in enumerate(leads):
            p = dict(p)
            if rng.random() < 0.05:
                p["last"] = family()
            if rng.random() < 0.12:
                p["town"] = rng.choice(TOWNS)
            if rng.random() < 0.2:
                p["employer"], p["job"] = rng.choice(employers), rng.choice(JOBS)
            for field, share in (("first", 0.12), ("last", 0.15), ("town", 0.1), ("employer", 0.15)):
                if rng.random() < share:
                    p[field] = typed(rng, p[field])
            if rng.random() < 0.1:
                p["first"] = p["first"][0] + "."
            if rng.random() < 0.1:
                p["last"] = p["last"].upper()
            for field, share in (("town", 0.1), ("employer", 0.12), ("job", 0.4)):
                if rng.random() < share:
                    p[field] = ""
            crm = f"00QRg{number:010d}"
            rows.writerow([crm, p["first"], p["last"], p["job"], p["employer"], p["town"], "UK"])
            answers.writerow([crm, entity, "Lead", "match" if entity else "nobody"])


if __name__ == "__main__":
    main()
