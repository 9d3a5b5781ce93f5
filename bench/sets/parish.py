#!/usr/bin/env python3
"""Makes a labelled set of people of old books: a name and a parish, and nothing else.

    bench/sets/parish.py OUT [--people 3000] [--seed 1]

The noise is that of a clerk who writes names as he hears them (c for k, y for i, -sen for -son, a
silent letter), of short forms, and of an ink that is hard to read (u for n, m for in). Only the
standard library is used, and no noise is shared with the other sets.
"""
import argparse
import csv
import json
import os
import random

MEN = {"Johan": "Jan Johannes", "Petrus": "Peter Peer", "Nikolaj": "Niels Klaus", "Christian": "Kristen Krist",
       "Andreas": "Anders Drews", "Lauritz": "Lars Lorens", "Mathias": "Mads Thies", "Henrik": "Henning Hinrich",
       "Frederik": "Fritz Freerk", "Jakob": "Jeppe Jasper", "Mikael": "Mikkel Michel", "Olaf": "Ole Oluf",
       "Sigurd": "Sjur Siver", "Torsten": "Tosten Tost", "Knud": "Knut Knuth", "Esben": "Espen Asbjorn",
       "Gregers": "Gregor Greis", "Bertil": "Bertel Barthold", "Eskild": "Eskil Askil", "Severin": "Soren Sefren"}
WOMEN = {"Katharina": "Karen Trine", "Margareta": "Grete Merete", "Elisabeth": "Lisbet Else", "Anna": "Ane Anneke",
         "Maria": "Maren Mari", "Kristina": "Stine Kirsten", "Dorothea": "Dorte Thea", "Birgitta": "Birte Gitte",
         "Johanna": "Hanne Jonna", "Magdalena": "Malene Lene", "Cecilia": "Sille Sidsel", "Apollonia": "Abelone Lone",
         "Barbara": "Barbro Barber", "Ingeborg": "Inger Ingebor", "Sofia": "Fie Soffi", "Helena": "Ellen Lena"}
ROOTS = "Aage Arve Bakk Bergt Bjork Brand Dal Eid Eng Fjeld Fosk Gaard Grav Haug Hede Holm Kald Kirk Krog Lind " \
    "Lund Moll Nord Ols Raun Rud Sand Skov Sten Strand Svend Tang Toft Torp Ulv Vang Vest Vik".split()
TAILS = "aker by feldt gren hus kvist mark nes rud sen stad strom svik vold ".split(" ")
PARISHES = [a + b for a in "Aas Bol Dyr Faar Gis Hjem Jels Kvern Lys Mund Nes Ring Skaa Tved Ulf Vaa".split()
            for b in ("kirke", "lunde", "sted", "vedel", "holt")]
HEARD = [("ck", "k"), ("k", "c"), ("i", "y"), ("sen", "son"), ("gaard", "goor"), ("aa", "o"), ("th", "t"), ("v", "w"),
         ("ph", "f"), ("d", "dt"), ("ei", "ej"), ("ll", "l"), ("st", "sst"), ("e", "")]
READ = [("u", "n"), ("n", "u"), ("m", "in"), ("rn", "m"), ("t", "l"), ("f", "s"), ("e", "c")]


def written(rng, name, rules):
    """A name by one rule of a clerk or a reader that applies to it, behind its first letter."""
    fitting = [(old, new) for old, new in rules if old in name[1:]]
    if not fitting:
        return name
    old, new = rng.choice(fitting)
    return name[0] + name[1:].replace(old, new, 1)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--people", type=int, default=3000)
    arguments.add_argument("--seed", type=int, default=1)
    arguments = arguments.parse_args()
    rng = random.Random(arguments.seed)
    names = [r + t for r in ROOTS for t in TAILS]

    def born():
        known = rng.choice((MEN, WOMEN))
        first = rng.choice(list(known))
        if rng.random() < 0.3:
            first += " " + rng.choice(list(known))
        return first, rng.choice(names), rng.choice(PARISHES)

    def short(first):
        known = MEN | WOMEN
        return " ".join(rng.choice(known[word].split()) if word in known and rng.random() < 0.7 else word
                        for word in first.split())

    people = [born() for _ in range(arguments.people)]
    os.makedirs(arguments.out, exist_ok=True)
    at = lambda name: os.path.join(arguments.out, name)
    with open(at("profiles.jsonl"), "w", encoding="utf8") as file:
        for number, (first, last, parish) in enumerate(people):
            row = {"id": f"pa_{number}", "first_name": first, "last_name": last, "city": parish, "country": "Denmark"}
            file.write(json.dumps(row) + "\n")
    entries = [(p, f"pa_{number}") for number, p in enumerate(people) if rng.random() < 0.55]
    entries += [(born(), "") for _ in range(arguments.people // 3)]
    rng.shuffle(entries)
    with open(at("Lead.csv"), "w", encoding="utf8", newline="") as file, \
            open(at("truth.csv"), "w", encoding="utf8", newline="") as truth:
        rows, answers = csv.writer(file), csv.writer(truth)
        rows.writerow("Id FirstName LastName Company City Country".split())
        answers.writerow("crm_id profile_id object case".split())
        for number, ((first, last, parish), entity) in enumerate(entries):
            if rng.random() < 0.2:
                first = short(first)
            elif " " in first and rng.random() < 0.5:
                first = first.split()[0]
            if rng.random() < 0.25:
                last = written(rng, last, HEARD)
            if rng.random() < 0.12:
                last = written(rng, last, READ)
            if rng.random() < 0.1:
                first = written(rng, first, HEARD)
            if rng.random() < 0.15:
                parish = rng.choice(PARISHES)
            elif rng.random() < 0.15:
                parish = written(rng, parish, HEARD)
            if rng.random() < 0.08:
                parish = ""
            crm = f"00QPa{number:010d}"
            rows.writerow([crm, first, last, "", parish, "Denmark"])
            answers.writerow([crm, entity, "Lead", "match" if entity else "nobody"])


if __name__ == "__main__":
    main()
