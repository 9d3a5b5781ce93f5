"""Writes an org of wide contacts as CSV: `python3 make_org.py FOLDER ROWS`."""

import csv
import json
import sys
from pathlib import Path

HEADER = ["Id", "AccountId", "FirstName", "LastName", "Email", "Phone", "Fax", "Title", "Department", "Description",
          "LeadSource", "MailingStreet", "MailingCity", "MailingState", "MailingCountry", "OwnerId", "CreatedDate",
          "LastModifiedDate", "SystemModstamp"]
ADMIN = "005B00000000001"


def table(folder, name, header, rows):
    with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def contact(n):
    stamp = f"2026-{n % 9 + 1:02}-{n % 27 + 1:02}T{n % 24:02}:{n % 60:02}:00.000Z"
    return [f"003B{n:011}", f"001B{n // 40:011}", f"Ada {n}", f"Lovelace {n}", f"ada{n}@company{n // 40}.example",
            f"+1 415 555 {n % 10000:04}", "", "Head of engines", "Engineering", f'Met at the fair, "very" interested: {n}',
            "Trade Show", f"{n} Long Street", "Springfield", "Oregon", "United States", ADMIN, stamp, stamp, stamp]


def main(folder, rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "org.json").write_text(json.dumps({"name": "Bench", "my_domain": "bench"}))
    table(folder, "User", ["Id", "Username", "Email", "LastName", "IsActive"], [[ADMIN, "admin@bench.example", "admin@bench.example", "Admin", "true"]])
    accounts = ([f"001B{n:011}", f"Company {n}", f"https://company{n}.example", ADMIN] for n in range(rows // 40 + 1))
    table(folder, "Account", ["Id", "Name", "Website", "OwnerId"], accounts)
    table(folder, "Contact", HEADER, map(contact, range(rows)))


main(Path(sys.argv[1]), int(sys.argv[2]))
