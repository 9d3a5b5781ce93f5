#!/usr/bin/env python3
"""Runs unmodified public Salesforce clients against the simulator and prints a table of what works.

Installs them, pinned, into a folder of its own (default `.tools/conformance` of the repository); needs Python 3 with
venv, Node 20 or later with npm, and the simulator's binary (built if it is not there).
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


def venv(folder: Path, requirements: str) -> Path:
    """A venv with pinned packages; gives its Python."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", HERE / requirements], check=True)
    return python


def install_node(tools: Path) -> Path:
    """Installs the JavaScript clients; gives the folder with node_modules."""
    node = tools / "node"
    node.mkdir(parents=True, exist_ok=True)
    for name in ["package.json", "jsforce_client.mjs"]:
        shutil.copy(HERE / name, node / name)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=node, check=True)
    return node


def write_org(folder: Path) -> None:
    """An org of two users and 2,500 accounts."""
    def table(name, header, rows):
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            writer.writerows(rows)

    (folder / "org.json").write_text(json.dumps({
        "name": "Conformance", "my_domain": "acme",
        "custom_fields": ["Task.Marker__c string(40) externalid unique"],
    }))
    table("User", ["Id", "Username", "Email", "FirstName", "LastName"], [
        ["005000000000001", "ada@acme.example", "ada@acme.example", "Ada", "Admin"],
        ["005000000000002", "sam@acme.example", "sam@acme.example", "Sam", "Seller"],
    ])
    table("Account", ["Name", "Website", "Description", "AnnualRevenue"], [
        [f"Account {n}", f"https://a{n}.example", f'A "quoted", text {n}', n * 1000] for n in range(2500)
    ])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tools", type=Path, default=ROOT / ".tools" / "conformance")
    parser.add_argument("--simulator", type=Path, default=ROOT / "target" / "debug" / "salesforce-simulator")
    parser.add_argument("--airbyte", action="store_true", help="also airbyte-source-salesforce, which takes minutes to install")
    arguments = parser.parse_args()
    if not arguments.simulator.exists():
        subprocess.run(["cargo", "build", "-p", "salesforce-simulator"], cwd=ROOT, check=True)
    arguments.tools.mkdir(parents=True, exist_ok=True)
    commands = [
        ([venv(arguments.tools / "venv", "requirements.txt"), HERE / "simple_salesforce_client.py"], None),
        (["node", "jsforce_client.mjs"], install_node(arguments.tools)),
    ]
    if arguments.airbyte:
        python = venv(arguments.tools / "venv-airbyte", "requirements-airbyte.txt")
        commands.append(([python, HERE / "airbyte_client.py"], None))
    with tempfile.TemporaryDirectory() as scratch:
        return run(Path(scratch), arguments.simulator, commands)


def run(scratch: Path, binary: Path, commands: list) -> int:
    org, ca, ready = scratch / "org", scratch / "ca.pem", scratch / "ready.json"
    org.mkdir()
    write_org(org)
    simulator = subprocess.Popen(
        [binary, "--org", org, "--ca-out", ca, "--ready-file", ready], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not ready.exists():
            if simulator.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the simulator did not start")
            time.sleep(0.05)
        urls = json.loads(ready.read_text())
        request = urllib.request.Request(
            urls["control_url"] + "/orgs/acme/tokens",
            data=json.dumps({"username": "ada@acme.example"}).encode(),
            headers={"content-type": "application/json"},
        )
        token = json.load(urllib.request.urlopen(request))["access_token"]
        env = {
            **os.environ,
            "ACCESS_TOKEN": token,
            "HTTP_URL": urls["http_url"],
            "HTTPS_URL": urls["http_url"].replace("http://", "https://"),
            "CONTROL_URL": urls["control_url"],
            "HTTPS_PROXY": urls["proxy_url"],
            "REQUESTS_CA_BUNDLE": str(ca),
            "NODE_EXTRA_CA_CERTS": str(ca),
            "CLIENT_ID": "crm-sync-local",
            "CLIENT_SECRET": "crm-sync-local-secret",
            "LOGIN": "ada@acme.example",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        results = []
        for command, folder in commands:
            done = subprocess.run(command, cwd=folder or scratch, env=env, capture_output=True, text=True, timeout=900)
            results += [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
            if done.returncode and not any(not r["ok"] for r in results):
                results.append({"client": str(command[-1]), "capability": "run", "ok": False, "detail": done.stderr})
    finally:
        simulator.terminate()
        simulator.wait(10)
    for result in results:
        mark = "ok  " if result["ok"] else "FAIL"
        print(f"{mark} {result['client']:18} {result['capability']:30} {result['detail'].strip()[:2000]}")
    return 0 if results and all(result["ok"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
