#!/usr/bin/env python3
"""Makes a labelled set of people with employers from two years of simulated tax forms.

    pip install pseudopeople==1.3.1
    bench/sets/census.py OUT

The package `pseudopeople` (BSD-3-Clause) ships a simulated sample population and puts the noise of
forms into it: misread and mistyped names, nicknames, fields left out, copied from a relative, or of
another member of the household. Seven in ten people of the first year are the directory; the leads
are all of the second, of whom a third has another employer. All towns are one.
"""
import argparse
import csv
import hashlib
import json
import os

import pseudopeople


def text(value):
    return "" if value is None or value != value else str(value)


def given(row):
    return " ".join(part for part in (text(row["first_name"]), text(row["middle_initial"])) if part)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments = arguments.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    at = lambda name: os.path.join(arguments.out, name)
    forms = lambda year, seed: pseudopeople.generate_taxes_w2_and_1099(year=year, seed=seed).to_dict("records")
    known = set()
    with open(at("profiles.jsonl"), "w", encoding="utf8") as file:
        for row in forms(2019, 11):
            person = row["simulant_id"]
            drawn = int(hashlib.md5(person.encode()).hexdigest(), 16) % 10
            if drawn >= 7 or person in known or not text(row["last_name"]):
                continue
            known.add(person)
            profile = {
                "id": "p" + person,
                "first_name": given(row),
                "last_name": text(row["last_name"]),
                "city": text(row["mailing_address_city"]),
                "state": text(row["mailing_address_state"]),
                "country": "US",
            }
            if text(row["employer_name"]):
                profile["company"] = {"name": text(row["employer_name"])}
            file.write(json.dumps(profile) + "\n")
    seen = set()
    with open(at("Lead.csv"), "w", encoding="utf8", newline="") as file, \
            open(at("truth.csv"), "w", encoding="utf8", newline="") as truth:
        rows, answers = csv.writer(file), csv.writer(truth)
        rows.writerow("Id FirstName LastName Company City State Country".split())
        answers.writerow("crm_id profile_id object case".split())
        for number, row in enumerate(forms(2020, 12)):
            person = row["simulant_id"]
            if person in seen or not text(row["last_name"]):
                continue
            seen.add(person)
            crm = f"00QCe{number:010d}"
            place = [text(row["mailing_address_city"]), text(row["mailing_address_state"]), "US"]
            rows.writerow([crm, given(row), text(row["last_name"]), text(row["employer_name"]) or "unknown", *place])
            found = person in known
            answers.writerow([crm, "p" + person if found else "", "Lead", "match" if found else "nobody"])


if __name__ == "__main__":
    main()
