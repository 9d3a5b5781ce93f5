"""Makes an org of what `crm-sync generate` made: `python3 make_org.py GENERATED FOLDER`.

The generated records get owners, and every second account an opportunity, half of them open, with two contacts of the
account. The folder is one that the simulator loads and `stack measure` reads.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

ORG = "B01"
OWNERS = 40
STAMP = "2026-06-01T09:00:00.000Z"
STAMPS = {"CreatedDate": STAMP, "LastModifiedDate": STAMP, "SystemModstamp": STAMP}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def salesforce_id(prefix, n):
    """The n-th id of 18 characters under a key prefix: 15, and three that spell their case."""
    digits = ""
    while n:
        n, digit = divmod(n, 62)
        digits = BASE62[digit] + digits
    short = f"{prefix}{ORG}{digits:0>9}"
    groups = (short[i : i + 5] for i in range(0, 15, 5))
    return short + "".join(ALPHABET[sum(c.isupper() << i for i, c in enumerate(group))] for group in groups)


def write(folder, name, rows):
    with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, row.keys())
                writer.writeheader()
            writer.writerow(row)


def users():
    for n in range(OWNERS):
        yield {"Id": salesforce_id("005", n + 1), "Username": f"seller{n}@bench.example",
               "Email": f"seller{n}@bench.example", "FirstName": "Seller", "LastName": f"Number {n}",
               "IsActive": "true", "TimeZoneSidKey": "Europe/Berlin", **STAMPS}


def owned(generated, name, contacts):
    """The generated rows with an owner; `contacts` takes two contacts an account."""
    with gzip.open(generated / f"{name}.csv.gz", "rt", newline="", encoding="utf-8") as file:
        for n, row in enumerate(csv.DictReader(file)):
            known = contacts.setdefault(row.get("AccountId", ""), [])
            if name == "Contact" and len(known) < 2:
                known.append(row["Id"])
            yield row | {"OwnerId": salesforce_id("005", n % OWNERS + 1), **STAMPS}


def opportunities(contacts):
    for n, account in enumerate(account for account in contacts if account):
        is_open = n % 2 == 0
        yield {"Id": salesforce_id("006", n + 1), "AccountId": account, "Name": f"Deal {n}",
               "StageName": "Prospecting" if is_open else "Closed Won", "Amount": str(n % 900 * 100 + 5000),
               "Probability": "10" if is_open else "100", "CloseDate": "2026-12-15",
               "IsClosed": str(not is_open).lower(), "IsWon": str(not is_open).lower(),
               "OwnerId": salesforce_id("005", n % OWNERS + 1), "IsDeleted": "false", **STAMPS}


def roles(contacts):
    accounts = [account for account in contacts if account]
    pairs = ((n, contact) for n, account in enumerate(accounts) for contact in contacts[account])
    for m, (n, contact) in enumerate(pairs):
        yield {"Id": salesforce_id("00K", m + 1), "OpportunityId": salesforce_id("006", n + 1), "ContactId": contact,
               "Role": "Evaluator", "IsPrimary": "true", "IsDeleted": "false", **STAMPS}


def main(generated, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "org.json").write_text(json.dumps({"name": "Bench", "my_domain": "bench"}))
    contacts = {}
    write(folder, "User", users())
    for name in ("Account", "Contact", "Lead"):
        write(folder, name, owned(generated, name, contacts if name == "Contact" else {}))
    write(folder, "Opportunity", opportunities(contacts))
    write(folder, "OpportunityContactRole", roles(contacts))


main(Path(sys.argv[1]), Path(sys.argv[2]))
