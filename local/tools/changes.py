"""Prints what a version changed, as CHANGELOG.md says it.

Usage: changes.py VERSION, such as v0.2.0. Without a section of that version it prints what is not released yet.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def section(text: str, version: str) -> str:
    """The text below a version's heading."""
    sections = re.split(r"^## ", text, flags=re.M)[1:]
    named = {part.split("\n", 1)[0].strip(" []").split("]")[0].split(" ")[0]: part.split("\n", 1)[1] for part in sections}
    found = named.get(version.removeprefix("v"), named.get("Unreleased", ""))
    return found.strip() + "\n"


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(section((ROOT / "CHANGELOG.md").read_text(), sys.argv[1]), end="")


if __name__ == "__main__":
    main()
