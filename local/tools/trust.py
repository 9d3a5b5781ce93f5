"""Runs what the product's promises rest on, and writes docs/trust.md of what came out.

Faults, attacks and histories are tests of the ordinary suite, chosen by name. Nothing leaves this
machine: Salesforce is the simulator on loopback, and the stores are in memory or in a folder.
"""

import datetime
import subprocess
import sys
import xml.etree.ElementTree as tree
from pathlib import Path

REPORT = Path("target/nextest/trust/junit.xml")
PAGE = Path("docs/trust.md")

# The name of a group, what it shows, and the tests that belong to it.
GROUPS = [
    (
        "Faults",
        "every call that can fail fails, before and after its effect; processes are killed at any "
        "call; messages are lost, doubled and reordered: nothing lost, nothing twice",
        "(package(tests) & test(/faults::|flows::(killed|leaving|troubled|logins|connection)::/))"
        " | (package(shared) & test(/leaving::tests::|outbox::tests::|renewal_tests::/))",
    ),
    (
        "Attacks",
        "strangers, forged tokens, hostile hosts, altered and moved sealed texts, edited audit "
        "logs, marks of personal data looked for everywhere",
        "(package(tests) & test(/flows::(canary|unsealed)::/))"
        " | (package(api) & test(/tests::(guards|canary|audit|break_glass)::/))"
        " | (package(salesforce) & test(hosts)) | (package(shared) & test(/^seal::|audit::/))",
    ),
    (
        "Histories",
        "random lives of an org and of matching, compared with the org itself and with a run over "
        "everything at once",
        "(package(tests) & test(after_any_history)) | (package(shared) & test(histories_tests))",
    ),
]


def run(expression):
    command = ["cargo", "nextest", "run", "--workspace", "--lib", "--test", "it"]
    command += ["--profile", "trust", "--no-fail-fast", "-E", expression]
    REPORT.unlink(missing_ok=True)
    code = subprocess.run(command, check=False).returncode
    if not REPORT.exists():
        sys.exit(f"the tests did not run: {code}")
    root = tree.parse(REPORT).getroot()
    cases = list(root.iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    return cases, failed


def main():
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    rows, broken = [], []
    for name, shows, expression in GROUPS:
        cases, failed = run(expression)
        seconds = sum(float(case.get("time")) for case in cases)
        rows.append(f"| {name} | {len(cases)} | {len(failed)} | {seconds:.0f} s | {shows} |")
        broken += failed
    verdict = "Nothing was lost, and nothing was done twice." if not broken else "NOT HELD."
    text = f"""# Trust

This page says what was tried to make the product lose something or do something twice, and what
came out. It is for whoever must believe it. `make trust` writes it; nobody edits it.

Made on {today}, of commit {commit}. {verdict}

| Group | Tests | Failed | Time | What they show |
|---|---|---|---|---|
{chr(10).join(rows)}

Histories of imports have the seeds 1 to 500 in memory and 1 to 10 on one machine, unless
`CRM_SYNC_SEED` and `CRM_SYNC_HISTORIES` say otherwise. Those of matching are drawn anew each time;
a failing seed is printed.
"""
    if broken:
        text += "\nFailed:\n\n" + "".join(f"- `{name}`\n" for name in broken)
    PAGE.write_text(text)
    print(f"{PAGE}: {verdict}")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
