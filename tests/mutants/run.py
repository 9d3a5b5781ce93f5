"""Breaks the product in one place at a time, and tells which tests notice.

The mutants of mutants.toml are built into a copy of the checkout all at once; the environment picks
the one that is alive. So there is one build, where cargo-mutants would need one for each. A mutant
that no test notices has survived, and fails the run. Everything runs on this machine, and each
mutant has a time after which it ends. A run that was interrupted goes on where it stopped, as long
as the commit is the same.

    tests/mutants/run.py [--write] [ID…]     an id may be the beginning of several
"""

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path

LIST = Path("tests/mutants/mutants.toml")
PAGE = Path("docs/mutations.md")
WORK = Path("target/mutants").resolve()
TREE = WORK / "tree"
ENDS = WORK / "ends.json"

# The tests that take minutes: they are asked only about what the others did not notice.
SLOW = "test(/killed|at_any_call|after_any|200_000/)"

# How long the tests of one mutant may take, in seconds.
LONGEST = 600

GROUPS = {
    "auth": "who somebody is: tokens of the issuer, sessions of the console",
    "cookies": "cookies, and forms that need them",
    "state": "the state of an authorization, and who may end it in what",
    "fences": "nothing is read, begun or written behind a disconnect",
    "purge": "everything of a generation goes, and is counted once",
    "custody": "grants are renewed by one at a time, bound to their place, and given back",
    "extractors": "what a role may do, and whose it is",
    "findings": "what a review of the product found",
    "saving": "what auto-save saves, lets go and undoes",
    "employers": "leads belong to the account whose company their person works for",
    "lists": "sellers' lists are for those who work on them",
    "answers": "a write that comes again is answered as the first time, to its caller",
    "seats": "which CRM user a seat is",
    "console": "who gets into the console, and whose pages they see",
    "moving": "a tenant moves with everything that people made",
}

# What nextest ends with when a filter names no test.
NO_TESTS = 4

FAILED = re.compile(r"^\s*(?:TRY \d+ )?(FAIL|TIMEOUT|SIG\w+|ABORT) \[[^\]]*\](?: \(.*?\))? (\S+) (\S+)", re.M)


def alive(mutant):
    return f'std::env::var_os("CRM_SYNC_MUTANT").is_some_and(|id| id == "{mutant["id"]}")'


def switched(source, mutants):
    """The text `source`, which each of its mutants may take the place of."""
    is_statement = source.rstrip().endswith((";", "}"))
    arms = [f"if {alive(mutant)} {{ {mutant['to']} }} else " for mutant in mutants]
    text = "".join(arms) + f"{{ {source} }}"
    return text if is_statement else f"({text})"


def plant(mutants):
    """Writes a copy of the checkout that holds all mutants."""
    files = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True)
    names = [name for name in files.stdout.split("\0") if name and Path(name).is_file()]
    # What is only odd in a mutant is no error.
    lints = Path("Cargo.toml").read_text().replace('"deny"', '"warn"').replace('"forbid"', '"warn"')
    changed, places = {"Cargo.toml": lints}, {}
    for mutant in mutants:
        places.setdefault((mutant["file"], mutant["from"]), []).append(mutant)
    for (name, source), own in places.items():
        text = changed.get(name) or Path(name).read_text()
        if text.count(source) != 1:
            sys.exit(f"{own[0]['id']}: `from` stands {text.count(source)} times in {name}; correct it")
        changed[name] = text.replace(source, switched(source, own))
    for name in names:
        place = TREE / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name not in changed:
            shutil.copy2(name, place)
        # What is written again is built again.
        elif not place.is_file() or place.read_text() != changed[name]:
            place.write_text(changed[name])


def nextest(tests, mutant=None):
    """Runs the tests until one fails. Gives what was printed, none when it took too long."""
    environment = dict(os.environ, CARGO_TARGET_DIR=str(WORK / "build"), CRM_SYNC_HISTORIES="30")
    environment.pop("CRM_SYNC_MUTANT", None)
    if mutant:
        environment["CRM_SYNC_MUTANT"] = mutant
    command = ["cargo", "nextest", "run", "--workspace", "--profile", "mutants", "--color", "never"]
    command += ["--no-run"] if tests is None else ["-E", tests]
    process = subprocess.Popen(
        command, cwd=TREE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = process.communicate(timeout=None if mutant is None else LONGEST)
    except subprocess.TimeoutExpired:
        process.terminate()
        output, _ = process.communicate()
        return None, output
    return process.returncode, output


def group_of(name):
    return name.split("-")[0]


def likely(mutant, known):
    """The tests that noticed others of its group: most often one of them notices this one too."""
    ends = [end for name, end in known.items() if group_of(name) == group_of(mutant["id"])]
    names = sorted({test.split("`")[1] for end, test in ends if end == "caught"})
    return " | ".join(f"test(/(^|::){name}$/)" for name in names)


def tried(mutant, known):
    """What became of a mutant, and the test that noticed it."""
    own, first = f"({mutant['tests']})", likely(mutant, known)
    parts = [f"{own} & ({first})"] if first else []
    # Then the tests that are named like the file or the group, before all of a package.
    names = f"{Path(mutant['file']).stem}|{group_of(mutant['id'])}"
    near = f"{own} & test(/{names}/) - {SLOW}"
    for part in (*parts, near, f"{own} - {SLOW}", f"{own} & {SLOW}"):
        code, output = nextest(part, mutant["id"])
        if failed := FAILED.search(output):
            hung = ", which hung" if failed[1] == "TIMEOUT" else ""
            return "caught", f"`{failed[3].rsplit('::', 1)[-1]}`{hung}"
        if code is None:
            return "no end", ""
        if code not in (0, NO_TESTS):
            return "did not run", output[-2000:]
    return "survived", ""


def rows(mutants, ends):
    for group, about in GROUPS.items():
        own = [m for m in mutants if group_of(m["id"]) == group]
        caught = sum(ends[m["id"]][0] == "caught" for m in own)
        yield f"\n## {group}: {caught} of {len(own)}\n\n{about.capitalize()}.\n"
        yield "| | what is wrong then | noticed by |\n|---|---|---|"
        for mutant in own:
            end, test = ends[mutant["id"]]
            noticed = test if end == "caught" else f"**{end}**"
            yield f"| {mutant['id']} | {mutant['what']} | {noticed} |"


def commit_now():
    head = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()


def remembered(commit):
    """What became of the mutants that an earlier run of this commit tried."""
    if not ENDS.is_file():
        return {}
    known = json.loads(ENDS.read_text())
    return known["ends"] if known["commit"] == commit else {}


def page(mutants, ends, commit):
    day = datetime.datetime.now(datetime.timezone.utc).date()
    caught = sum(end == "caught" for end, _ in ends.values())
    told = textwrap.fill(
        f"On {day}, of commit {commit}, {caught} of {len(mutants)} were caught.", 100
    )
    return f"""# Mutations

This page says which tests notice when one place of the product is wrong. It is for whoever must
believe the tests. `make mutants` writes it; the mutants stand in `tests/mutants/mutants.toml`.

Each was chosen for what it would do to somebody, before its tests were looked at. A test of `make
test` holds the list to the code.

{told}
{chr(10).join(rows(mutants, ends))}
"""


def main():
    asked = [word for word in sys.argv[1:] if not word.startswith("--")]
    listed = tomllib.loads(LIST.read_text())["mutant"]
    mutants = list({mutant["id"]: mutant for mutant in reversed(listed)}.values())[::-1]
    if unknown := {group_of(mutant["id"]) for mutant in mutants} - GROUPS.keys():
        sys.exit(f"say in GROUPS what these mutants are about: {', '.join(sorted(unknown))}")
    plant(listed)
    code, output = nextest(None)
    if code != 0:
        sys.exit("\n\n".join(re.findall(r"^error.*(?:\n.+)*", output, re.M)))
    if "--write" in sys.argv:
        code, output = nextest(" | ".join(sorted({f"({mutant['tests']})" for mutant in mutants})))
        if code != 0:
            sys.exit(f"without a mutant there must be no failure:\n{output[-6000:]}")
    commit = commit_now()
    known, ends = remembered(commit), {}
    for mutant in mutants:
        if asked and not any(mutant["id"].startswith(word) for word in asked):
            continue
        if not asked and known.get(mutant["id"], [""])[0] == "caught":
            ends[mutant["id"]] = tuple(known[mutant["id"]])
            continue
        begun = time.monotonic()
        ends[mutant["id"]] = end, test = tried(mutant, known)
        known[mutant["id"]] = [end, test]
        ENDS.write_text(json.dumps({"commit": commit, "ends": known}))
        print(f"{mutant['id']:15} {end:9} {time.monotonic() - begun:5.0f} s  {test}", flush=True)
    if "--write" in sys.argv and not asked:
        PAGE.write_text(page(mutants, ends, commit))
    left = [name for name, (end, _) in ends.items() if end != "caught"]
    sys.exit(f"not caught: {', '.join(left)}" if left else 0)


if __name__ == "__main__":
    main()
