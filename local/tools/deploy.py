"""Deploys a stage to AWS: the first time and every later time alike, without a question.

Usage: deploy.py STAGE ARCH [--plan STATUS]

STAGE is a name such as production or staging; its parameters stand in stages/STAGE.env, one
`Name=value` a line (`stages/example.env`). ARCH is x86_64 or arm64: what the functions are built
for and what they run on. `--plan` prints the commands for a stack that stands so (NONE when there
is no stack) and runs none.

A first creation is made without the table's deletion protection, so that one that fails can be
rolled back, and is protected by a second step. The Salesforce app's secret never comes here.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCHES = ("x86_64", "arm64")
NEEDED = ("JwtIssuer", "JwksUrl", "SalesforceClientId")
# The command sets them: one place for each decision.
OWN = ("Stage", "Architecture", "DeletionProtection")
# A stack that never came to stand: nothing of it is left but its name.
FAILED_CREATIONS = ("ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS")
NONE = "NONE"


def stack_name(stage: str) -> str:
    """The production stack has the product's own name."""
    return "crm-sync" if stage == "production" else f"crm-sync-{stage}"


def parameters(stage: str, text: str) -> dict[str, str]:
    """The parameters of a stage's file, or what is wrong with it."""
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z]+", name) or name in found:
            sys.exit(f"stages/{stage}.env, line {number}: expected Name=value, each name once")
        if "secret" in name.lower():
            sys.exit(f"stages/{stage}.env, line {number}: a secret belongs into the app's secret, not here")
        if name in OWN:
            sys.exit(f"stages/{stage}.env, line {number}: {name} is set by `make deploy` itself")
        found[name] = value
    missing = [name for name in NEEDED if not found.get(name)]
    if missing:
        sys.exit(f"stages/{stage}.env lacks {', '.join(missing)}")
    return found


def quoted(name: str, value: str) -> str:
    """A parameter as sam reads it."""
    return name + '="' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def deployment(stage: str, arch: str, given: dict[str, str], protect: bool) -> list[str]:
    """One deployment, by a change set that nobody is asked about."""
    own = {"Stage": stage, "Architecture": arch, "DeletionProtection": str(protect).lower()}
    values = [quoted(name, value) for name, value in (given | own).items()]
    return [
        *("sam", "deploy", "--stack-name", stack_name(stage), "--resolve-s3"),
        *("--s3-prefix", stack_name(stage), "--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        *("--no-confirm-changeset", "--no-fail-on-empty-changeset"),
        *("--tags", "product=crm-sync", f"stage={stage}"),
        *("--parameter-overrides", *values),
    ]


def plan(stage: str, arch: str, given: dict[str, str], status: str) -> list[list[str]]:
    """The commands that bring a stack that stands so to what the template says."""
    # What is built must be for the processor that is deployed: sam reads it from the template.
    build = ["sam", "build", "--parameter-overrides", quoted("Architecture", arch)]
    protected = deployment(stage, arch, given, protect=True)
    if status == NONE or status in FAILED_CREATIONS:
        remove = [["sam", "delete", "--stack-name", stack_name(stage), "--no-prompts"]]
        first = deployment(stage, arch, given, protect=False)
        return [build, *(remove if status != NONE else []), first, protected]
    if status == "UPDATE_ROLLBACK_FAILED":
        sys.exit(f"{stack_name(stage)} is at {status}: docs/runbook.md says how it goes on")
    if not status.endswith("_COMPLETE"):
        sys.exit(f"{stack_name(stage)} is at {status}: wait until it stands")
    return [build, protected]


def status_now(stage: str) -> str:
    """How the stack stands in AWS."""
    import boto3
    from botocore.exceptions import ClientError

    try:
        stacks = boto3.client("cloudformation").describe_stacks(StackName=stack_name(stage))
    except ClientError as error:
        if "does not exist" in str(error):
            return NONE
        raise
    return stacks["Stacks"][0]["StackStatus"]


def main() -> None:
    if len(sys.argv) not in (3, 5) or sys.argv[2] not in ARCHES:
        sys.exit(__doc__)
    stage, arch = sys.argv[1:3]
    if stage == "local" or not re.fullmatch(r"[a-z][a-z0-9-]{0,19}", stage):
        sys.exit("STAGE is a name such as production: small letters, digits and hyphens, and not local")
    file = ROOT / "stages" / f"{stage}.env"
    if not file.exists():
        sys.exit(f"stages/{stage}.env is missing: copy stages/example.env and fill it in")
    given = parameters(stage, file.read_text())
    if len(sys.argv) == 5:
        for command in plan(stage, arch, given, sys.argv[4]):
            print(shlex.join(command))
        return
    for command in plan(stage, arch, given, status_now(stage)):
        subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
