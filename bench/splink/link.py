#!/usr/bin/env python3
"""Links leads to people with Splink, on the files that `crm-sync match` reads.

    link.py PEOPLE.jsonl.gz COMPANIES.jsonl.gz LEAD.csv.gz OUT.csv [--model simple|full] [--threads 2]

`simple` compares names, employer, mail, phone and city. `full` also compares past employers, the
employer's domain from the company directory, and titles. Both are trained as Splink's documentation
advises: u by random sampling, m by expectation maximisation, no labels. Pairs are assigned one to
one, surest first, as ours are.

Prints one JSON line: seconds by stage, peak memory, pairs.
"""
import argparse
import csv
import gzip
import json
import re
import resource
import time
import unicodedata
import warnings

import pyarrow as pa

warnings.filterwarnings("ignore")

LEGAL = re.compile(
    r"\b(inc|incorporated|corp|corporation|co|company|ltd|limited|llc|llp|lp|plc|gmbh|ag|kg|se|sa|sas|sarl|spa|nv|bv"
    r"|ab|oy|oyj|asa|as|pty|pvt|private|group|holdings?|the)\b"
)
FREE_MAIL = {
    "gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "gmx.de", "qq.com", "163.com",
    "orange.fr", "comcast.net", "proton.me",
}
COUNTRY = {
    "us": "united states", "usa": "united states", "u s": "united states", "united states of america": "united states",
    "america": "united states", "uk": "united kingdom", "gb": "united kingdom", "great britain": "united kingdom",
    "england": "united kingdom", "de": "germany", "deutschland": "germany", "fr": "france", "es": "spain",
    "espana": "spain", "in": "india", "ca": "canada", "can": "canada", "cn": "china", "prc": "china", "jp": "japan",
}


def fold(text):
    text = unicodedata.normalize("NFKD", text or "")
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return re.sub(r"[^a-z0-9]+", " ", text).strip()


def company(text):
    folded = fold(text)
    return re.sub(r"\s+", " ", LEGAL.sub(" ", folded)).strip() or folded or None


def domain(text):
    host = re.sub(r"^[a-z]+://", "", (text or "").strip().lower()).split("/")[0].removeprefix("www.")
    return host if "." in host else None


def mail_domain(address):
    host = address.rpartition("@")[2]
    return host if host and host not in FREE_MAIL else None


def phone(text):
    digits = re.sub(r"\D", "", re.split(r"(?i)\s*(?:x|ext)", text or "")[0])
    return digits[-8:] if len(digits) >= 7 else None


def country(text):
    folded = fold(text)
    return COUNTRY.get(folded, folded) or None


def title(text):
    return fold(text) or None


def lines(path):
    with gzip.open(path, "rt", encoding="utf8") as file:
        for line in file:
            yield json.loads(line)


def read_people(people, companies):
    domains = {c["id"]: domain(c.get("domain")) for c in lines(companies)}
    rows = []
    for p in lines(people):
        employer = p.get("company") or {}
        mails = [m.strip().lower() for m in p.get("emails") or []]
        past = [company(x.get("company")) for x in p.get("past_positions") or []]
        current = company(employer.get("name"))
        known = {domains.get(employer.get("company_id"))} | {mail_domain(m) for m in mails}
        phones = [phone(x) for x in p.get("phones") or []]
        rows.append((
            p["id"], fold(p.get("first_name")) or None, fold(p.get("last_name")) or None, current,
            sorted({c for c in [current, *past] if c}), sorted(d for d in known if d),
            mails[0] if mails else None, phones[0] if phones else None, fold(p.get("city")) or None,
            country(p.get("country")), title(p.get("title")),
        ))
    return rows


def read_leads(path):
    rows = []
    with gzip.open(path, "rt", encoding="utf8", newline="") as file:
        for r in csv.DictReader(file):
            mail = r["Email"].strip().lower() or None
            employer = company(r["Company"])
            known = {domain(r["Website"]), mail_domain(mail) if mail else None}
            rows.append((
                r["Id"], fold(r["FirstName"]) or None, fold(r["LastName"]) or None, employer, [employer] if employer else [],
                sorted(d for d in known if d), mail, phone(r["Phone"]), fold(r["City"]) or None, country(r["Country"]),
                title(r["Title"]),
            ))
    return rows


COLUMNS = [
    "unique_id", "first", "last", "company", "companies", "domains", "mail", "phone", "city", "country", "title",
]


def table(rows):
    lists = {"companies", "domains"}
    types = [pa.list_(pa.string()) if name in lists else pa.string() for name in COLUMNS]
    columns = zip(*rows) if rows else [[] for _ in COLUMNS]
    return pa.table([pa.array(c, t) for c, t in zip(columns, types)], names=COLUMNS)


def settings(model):
    import splink.comparison_level_library as cll
    import splink.comparison_library as cl
    from splink import SettingsCreator, block_on

    comparisons = [
        cl.JaroWinklerAtThresholds("first", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("last", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        cl.ExactMatch("mail"),
        cl.ExactMatch("phone"),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True),
    ]
    if model == "simple":
        comparisons.append(cl.JaroWinklerAtThresholds("company", [0.92, 0.8]).configure(term_frequency_adjustments=True))
        rules = [block_on("last", "company"), block_on("mail"), block_on("phone"), block_on("first", "last", "city")]
    else:
        comparisons += [
            cl.CustomComparison(
                output_column_name="employer",
                comparison_levels=[
                    cll.CustomLevel("len(companies_l) = 0 OR len(companies_r) = 0").configure(is_null_level=True),
                    cll.ExactMatchLevel("company"),
                    cll.CustomLevel("list_has_any(domains_l, domains_r)"),
                    cll.CustomLevel("list_has_any(companies_l, companies_r)"),
                    cll.JaroWinklerLevel("company", 0.9),
                    cll.ElseLevel(),
                ],
            ),
            cl.ExactMatch("country"),
            cl.JaroWinklerAtThresholds("title", [0.9]),
        ]
        rules = [
            block_on("last", "company"), block_on("first", "company"), block_on("mail"), block_on("phone"),
            block_on("first", "last", "country"), block_on("first", "last", "city"),
            block_on("last", "companies", arrays_to_explode=["companies"]),
            block_on("last", "domains", arrays_to_explode=["domains"]),
        ]
    return SettingsCreator(
        link_type="link_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules,
        retain_matching_columns=False, retain_intermediate_calculation_columns=False,
    )


def main():
    arguments = argparse.ArgumentParser()
    for name in ("people", "companies", "leads", "out"):
        arguments.add_argument(name)
    arguments.add_argument("--model", choices=["simple", "full"], default="full")
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()

    started = time.monotonic()
    import duckdb
    from splink import Linker, block_on
    from splink.internals.duckdb.database_api import DuckDBAPI

    people = table(read_people(arguments.people, arguments.companies))
    leads = table(read_leads(arguments.leads))
    read = time.monotonic()

    connection = duckdb.connect()
    connection.execute(f"SET threads TO {arguments.threads}")
    database = DuckDBAPI(connection)
    frames = [
        database.register(leads, dataset_display_name="crm", table_name="crm"),
        database.register(people, dataset_display_name="directory", table_name="directory"),
    ]
    linker = Linker(frames, settings(arguments.model), log_level="ERROR")
    training = linker.training
    training.estimate_probability_two_random_records_match([block_on("mail"), block_on("first", "last", "company")], recall=0.5)
    training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in (block_on("first", "last"), block_on("mail"), block_on("last", "company")):
        training.estimate_parameters_using_expectation_maximisation(rule)
    trained = time.monotonic()

    pairs = linker.inference.predict(threshold_match_probability=0.5)
    pairs = connection.execute(
        f"SELECT unique_id_l, unique_id_r, match_probability, source_dataset_l FROM {pairs.physical_name} "
        "ORDER BY match_weight DESC, unique_id_l, unique_id_r"
    ).fetchall()
    taken, used = set(), set()
    with open(arguments.out, "w", encoding="utf8") as out:
        out.write("crm_id,profile_id,score\n")
        for left, right, probability, source in pairs:
            crm, profile = (left, right) if source == "crm" else (right, left)
            if crm not in taken and profile not in used:
                taken.add(crm)
                used.add(profile)
                out.write(f"{crm},{profile},{probability:.9f}\n")
    done = time.monotonic()
    print(json.dumps({
        "system": f"splink-{arguments.model}", "read_s": round(read - started, 2), "train_s": round(trained - read, 2),
        "match_s": round(done - trained, 2), "seconds": round(done - started, 2), "pairs": len(pairs), "matched": len(taken),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }))


if __name__ == "__main__":
    main()
