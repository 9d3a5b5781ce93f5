"""Runs what the product's promises rest on, and writes docs/trust.md of what came out.

Faults, attacks and histories are tests of the ordinary suite, chosen by name. The loads are tenants
on one `crm-sync serve`, and fewer on the emulator, with a debug build. Nothing leaves this machine:
Salesforce is the simulator and AWS the emulator, both on loopback. Each part ends by itself.
"""

import datetime
import json
import os
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as tree
from pathlib import Path

REPORT = Path("target/nextest/trust/junit.xml")
PAGE = Path("docs/trust.md")

# The name of a group, what it shows, and the tests that belong to it.
GROUPS = [
    (
        "Faults",
        "every call that can fail fails, before and after its effect; processes are killed at any "
        "call; messages are lost, doubled, reordered and dead: nothing lost, nothing twice",
        "(package(tests) & test(/faults::|poison::|flows::(killed|leaving|troubled|logins|connection"
        "|inputs)::/)) | (package(shared) & test(/leaving::tests::|outbox::tests::|renewal_tests::/))",
    ),
    (
        "Attacks",
        "strangers, forged tokens, hostile hosts and inputs, altered and moved sealed texts, edited "
        "audit logs, marks of personal data looked for everywhere",
        "(package(tests) & test(/flows::(canary|unsealed)::/))"
        " | (package(api) & test(/tests::(guards|canary|audit|break_glass|inputs|tokens)::/))"
        " | (package(salesforce) & test(hosts)) | (package(shared) & test(/^seal::|audit::/))",
    ),
    (
        "Histories",
        "random lives of an org and of matching, compared with the org itself and with a run over "
        "everything at once",
        "(package(tests) & test(after_any_history)) | (package(shared) & test(histories_tests))",
    ),
]

# The test of a load, where its figures are, where its tenants live, and what fails beside calls of
# Salesforce.
LOADS = [
    (
        "a_burst_of_one_tenant_delays_no_other",
        Path("target/trust-load.json"),
        "on one `crm-sync serve` (a debug build; its table in SQLite)",
        "Errors of the stores are no part of this load: the faults above make each call of a store "
        "fail.",
    ),
    (
        "a_burst_of_one_tenant_delays_no_other_on_the_emulator",
        Path("target/trust-load-emulator.json"),
        "on the template as the emulator runs it (debug builds of the functions)",
        "One in twenty calls of AWS by the functions was throttled as well.",
    ),
]

# How many histories of imports are lived, where `CRM_SYNC_HISTORIES` does not say: in memory, and
# on one machine (`tests/it/import/histories.rs`).
USUAL = (200, 10)


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def nextest(profile, *more):
    command = ["cargo", "nextest", "run", "--workspace", "--profile", profile, *more]
    return subprocess.run(command, check=False).returncode


def run(expression):
    """A group's tests, and the names of those that failed."""
    REPORT.unlink(missing_ok=True)
    code = nextest("trust", "--lib", "--test", "it", "--no-fail-fast", "-E", expression)
    if not REPORT.exists():
        sys.exit(f"the tests did not run: {code}")
    cases = list(tree.parse(REPORT).getroot().iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    return cases, failed


def load(test, file):
    """A load's figures, whether it held, and how busy the machine was before and after."""
    file.unlink(missing_ok=True)
    before = os.getloadavg()[0]
    code = nextest(
        "load", "--test", "it", "--run-ignored", "only", "--no-capture", "-E",
        f"package(tests) & test(=neighbours::{test})",
    )
    figures = json.loads(file.read_text()) if file.exists() else None
    return figures, code == 0, (before, os.getloadavg()[0])


def paragraph(text):
    """The words in lines that are no wider than the house allows."""
    return textwrap.fill(" ".join(text.split()), 100, break_long_words=False)


def seeds():
    """Which histories were lived in this run."""
    first = int(os.environ.get("CRM_SYNC_SEED", 1))
    asked = os.environ.get("CRM_SYNC_HISTORIES")
    memory, machine = (first - 1 + int(asked or usual) for usual in USUAL)
    return paragraph(
        f"""Histories of imports had the seeds {first} to {memory} in memory and {first} to
        {machine} on one machine. Those of matching are drawn anew each time; a failing seed is
        printed."""
    )


def seconds(milliseconds):
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def told(figures, held, busy, where, beside):
    """A load, as the page tells it."""
    if figures is None:
        return "The load came to no end: it has no figures. **NOT HELD.**\n"
    rows = []
    for name, key in [("write-back", "write_back"), ("import", "import")]:
        for when, phase in [("before", "before"), ("during", "during")]:
            lag = figures[phase][key]
            cells = [seconds(lag[part]) for part in ("p50", "p95", "max")]
            rows.append(f"| {name} | {when} | {lag['n']} | {' | '.join(cells)} |")
    burst = figures["burst_seconds"]
    ended = f"it was imported after {burst} s" if burst else "its import did not end in time"
    kinds = "\n".join(f"- {kind}" for kind in figures["planned"])
    table = "| | when | n | half | 19 of 20 | longest |\n|---|---|---|---|---|---|\n" + "\n".join(rows)
    parts = [
        paragraph(
            f"""{figures["tenants"]} tenants with an org each {where}. Of {figures["calls"]:,} calls of
            Salesforce {figures["errors"]:,} went wrong, before the burst as well as during it:"""
        ),
        kinds,
        paragraph(
            f"""One tenant changed {figures["burst"]:,} records at once; {ended}. What the others
            waited for, from the asking to the row in Salesforce or to the end of the run:"""
        ),
        table,
        paragraph(
            f"""In the end {figures["posted"]:,} activities were taken in; {figures["rows"]:,} have
            rows in Salesforce, {figures["twice"]:,} of them more than one. {figures["records"]:,}
            records of all orgs were compared with ours, {figures["differences"]:,} differ. There
            are {figures["dead_letters"]:,} dead letters. {"Held." if held else "**NOT HELD.**"}"""
        ),
        paragraph(
            f"""The machine's load was {busy[0]:.1f} before and {busy[1]:.1f} after, on
            {os.cpu_count()} cores; others may have used it too. {beside}"""
        ),
    ]
    return "\n\n".join(parts) + "\n"


def main():
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    begun = now()
    rows, broken, loads = [], [], []
    for test, file, where, beside in LOADS:
        figures, held, busy = load(test, file)
        loads.append(told(figures, held, busy, where, beside))
        broken += [] if held else [test]
    for name, shows, expression in GROUPS:
        cases, failed = run(expression)
        spent = sum(float(case.get("time")) for case in cases)
        rows.append(f"| {name} | {len(cases)} | {len(failed)} | {spent:.0f} s | {shows} |")
        broken += failed
    verdict = "Nothing was lost, and nothing was done twice." if not broken else "NOT HELD."
    text = f"""# Trust

This page says what was tried to make the product lose something or do something twice, and what
came out. It is for whoever must believe it. `make trust` writes it; nobody edits it.

{paragraph(f"Made from {begun} to {now()}, of commit {commit}. {verdict}")}

## Faults, attacks, histories

| Group | Tests | Failed | Time | What they show |
|---|---|---|---|---|
{chr(10).join(rows)}

{seeds()}

## A noisy neighbour

{chr(10).join(loads)}"""
    if broken:
        text += "\nFailed:\n\n" + "".join(f"- `{name}`\n" for name in broken)
    PAGE.write_text(text)
    print(f"{PAGE}: {verdict}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
