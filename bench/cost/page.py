"""Prices what was counted, and writes the tables of docs/cost.md.

Usage: page.py PAGE COUNTED.json…, each COUNTED file as `tests/it/cost.rs` leaves it. Prices stand in prices.json with
their date. Memory sizes, alarms and queues are read from template.yaml.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRICES = json.loads((Path(__file__).parent / "prices.json").read_text())
# A call over the network takes about that long, and none is counted as beside another one: an upper bound.
SECONDS_PER_CALL = 0.005
BEGIN, END = "<!-- counted -->\n", "\n<!-- /counted -->"
MONTH_DAYS = 30

PHASES = [
    ("first", "first import, matched and saved"),
    ("unchanged", "all rows read again, none changed"),
    ("scheduled", "a run of the schedule, nothing changed"),
    ("rematch", "a directory version, 1 % of people changed"),
]


def template() -> str:
    return (ROOT / "template.yaml").read_text()


def memory() -> dict[str, float]:
    """Gigabytes of each function."""
    text = template()
    found = re.findall(r'FunctionName: !Sub "\$\{AWS::StackName\}-([a-z-]+)".*?MemorySize: (\d+)', text, re.S)
    return {name: int(size) / 1024 for name, size in found}


def cost_of(usage: dict) -> dict[str, float]:
    """Dollars of a phase, by what is paid for."""
    sizes, p = memory(), PRICES
    paid = dict.fromkeys(["table writes", "table reads", "queues", "objects", "keys and secrets", "functions"], 0.0)
    for function, kinds in usage.items():
        calls = 0
        for kind, used in kinds.items():
            requests, units = used["requests"], used["units"]
            if kind in ("table write", "table transaction"):
                paid["table writes"] += units * p["table_write_unit"]
            elif kind == "table read":
                paid["table reads"] += units * p["table_read_unit"]
            elif kind == "queue send":
                paid["queues"] += units * p["queue_request"]
            elif kind == "message":
                # Received and deleted by itself, in an invocation of its own: an upper bound.
                paid["queues"] += 2 * requests * p["queue_request"]
                paid["functions"] += requests * p["invocation"]
                paid["functions"] += units / 1e6 * sizes[function] * p["gb_second"]
                continue
            elif kind in ("object put", "object list"):
                paid["objects"] += requests * p["object_put"]
            elif kind == "object get":
                paid["objects"] += requests * p["object_get"]
            elif kind == "secret":
                paid["keys and secrets"] += requests * p["secret_call"]
            elif kind == "key":
                paid["keys and secrets"] += requests * p["key_call"]
            elif kind == "event":
                paid["queues"] += requests * p["event"]
            calls += requests
        paid["functions"] += calls * SECONDS_PER_CALL * sizes[function] * p["gb_second"]
    return paid


def units(usage: dict, kinds: tuple[str, ...]) -> int:
    return sum(used["units"] for by_kind in usage.values() for kind, used in by_kind.items() if kind in kinds)


def idle_stack() -> list[tuple[str, float]]:
    """What a stack costs in a month in which nobody does anything."""
    text, p = template(), PRICES
    # Lambda polls a queue by five pollers, three times a minute each, when they are idle.
    queues = text.count("Type: SQS")
    polls = queues * 5 * 3 * 60 * 24 * MONTH_DAYS
    alarms = text.count("Type: AWS::CloudWatch::Alarm")
    return [
        (f"{queues} queues are polled", polls * p["queue_request"]),
        (f"{alarms} alarms", alarms * p["alarm_month"]),
        ("the dashboard", p["dashboard_month"]),
        ("the key and the app's secret", p["key_month"] + p["secret_month"]),
        ("a tick each minute", 60 * 24 * MONTH_DAYS * (p["invocation"] + 0.05 * 0.5 * p["gb_second"] + 16 * p["table_read_unit"])),
    ]


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def months(counted: dict) -> dict[str, float]:
    """What a connection costs in a month: at rest, and in use."""
    p, phases = PRICES, counted["phases"]
    stored = counted["bytes"] / 1e9 * (p["table_gb_month"] + p["table_recovery_gb_month"])
    of_its_rows = 100_000 / counted["rows"]
    day = sum(cost_of(phases["day"]).values())
    # A day without changes is the same for every size.
    at_rest = day * MONTH_DAYS + p["secret_month"] + stored * of_its_rows
    rematches = sum(cost_of(phases["rematch"]).values()) * of_its_rows * MONTH_DAYS / 7
    # A hundredth of the rows changes in a day: each costs about what it cost when it was new.
    changes = sum(cost_of(phases["first"]).values()) * of_its_rows * 0.01 * MONTH_DAYS
    return {"rest": at_rest, "use": at_rest + rematches + changes}


def page(files: list[Path]) -> str:
    all_counted = sorted((json.loads(file.read_text()) for file in files), key=lambda counted: counted["rows"])
    parts = [f"Prices of {PRICES['as_of']}, {PRICES['region']}."]
    for counted in all_counted:
        rows = counted["rows"]
        body = []
        for name, told in PHASES:
            usage = counted["phases"][name]
            paid = cost_of(usage)
            writes = units(usage, ("table write", "table transaction"))
            reads = units(usage, ("table read",))
            body.append(
                [told, f"{writes / rows:.2f}", f"{reads / rows:.2f}"]
                + [f"{value / rows * 1e6:.3f}" for value in paid.values()]
                + [f"**{sum(paid.values()) / rows * 1e6:.2f}**"]
            )
        header = ["", "writes a row", "reads a row", *cost_of({}).keys(), "a million rows"]
        parts.append(f"**{rows:,} rows**, {counted['items']:,} items; dollars a million rows:\n\n" + table(header, body))
    largest = all_counted[-1]
    of = next((c for c in all_counted if 50_000 < c["rows"] < 500_000), largest)
    month, idle = months(of), idle_stack()
    stack = sum(value for _, value in idle)
    body = [
        [f"{n:,}", f"{stack:.2f}", f"{n * month['rest']:,.2f}", f"{n * month['use'] + stack:,.2f}"]
        for n in (1, 100, 10_000)
    ]
    parts.append(
        "A month of connections of 100,000 rows. In use: a directory version a week, and each day a hundredth\n"
        "of the rows changes.\n\n" + table(["connections", "the stack", "at rest, besides", "in use, in all"], body)
    )
    parts.append("A stack at rest, a month:\n\n" + table(["", "USD"], [[told, f"{value:.2f}"] for told, value in idle] + [["in all", f"**{stack:.2f}**"]]))
    return "\n\n".join(parts)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    target, files = Path(sys.argv[1]), [Path(file) for file in sys.argv[2:]]
    before, rest = target.read_text().split(BEGIN)
    target.write_text(before + BEGIN + page(files) + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
