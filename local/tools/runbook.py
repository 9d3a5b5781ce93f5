"""Holds each AWS command of a page to one that AWS has: service, operation, and every flag.

Usage: runbook.py PAGE..., run with a Python that has botocore, whose service models say what there
is. It asks nobody.
"""

import re
import sys
from pathlib import Path

import botocore.session
from botocore import xform_name

# Flags of the command line itself.
GLOBAL = {"query", "output", "region"}
# Commands that the command line adds to its services, with their flags.
ADDED = {("logs", "tail"): {"since", "filter-pattern", "follow", "format"}}
COMMAND = re.compile(r"(?<![\w.`-])aws +([a-z0-9-]+) +([a-z0-9-]+)((?:\\\n|[^\n;|)])*)")


def flags(line: str) -> set[str]:
    """The flags of a command, without what stands between quotation marks."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line)
    return set(re.findall(r"--([a-z0-9-]+)", bare))


def known(session, service: str, operation: str) -> set[str] | None:
    """The flags of an operation; none when AWS has no such operation."""
    if (service, operation) in ADDED:
        return ADDED[service, operation]
    if service not in session.get_available_services():
        return None
    model = session.get_service_model(service)
    for name in model.operation_names:
        if xform_name(name, "-") == operation:
            shape = model.operation_model(name).input_shape
            return {xform_name(member, "-") for member in shape.members} if shape else set()
    return None


def faults(session, text: str) -> list[str]:
    """What is wrong with the commands of a page's code blocks."""
    found, count = [], 0
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for service, operation, rest in COMMAND.findall(block):
            count += 1
            have = known(session, service, operation)
            if have is None:
                found.append(f"aws {service} {operation}: there is no such command")
                continue
            asked = flags(rest) - have - GLOBAL
            unknown = {flag for flag in asked if flag.removeprefix("no-") not in have}
            found += [f"aws {service} {operation}: there is no --{flag}" for flag in sorted(unknown)]
    return found if count else ["the page has no command"]


def main() -> None:
    session, bad = botocore.session.Session(), []
    for page in map(Path, sys.argv[1:]):
        bad += [f"{page}: {fault}" for fault in faults(session, page.read_text())]
    if bad:
        sys.exit("\n".join(bad))


if __name__ == "__main__":
    main()
