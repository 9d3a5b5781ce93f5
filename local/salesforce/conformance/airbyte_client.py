"""What an unmodified airbyte-source-salesforce can do with the simulator. Prints one line of JSON per capability.

The connector's login address is fixed, so it comes through the simulator's proxy (`HTTPS_PROXY`) and trusts its CA
(`REQUESTS_CA_BUNDLE`). Its three commands read the same configuration file, so the app's refresh token does not rotate.
"""

import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from capability import Client
from control import refresh_token

OBJECTS = {"Account", "User"}
client = Client("airbyte")


def connector(folder, *arguments):
    command = [Path(sys.executable).with_name("source-salesforce"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return messages, done.stdout[-2000:] + done.stderr[-2000:]


def read(folder, streams, config):
    """Reads the streams incrementally; gives rows and what the connector said."""
    chosen = [{"stream": s, "sync_mode": "incremental", "destination_sync_mode": "append"} for s in streams]
    Path(folder, "catalog.json").write_text(json.dumps({"streams": chosen}))
    messages, said = connector(folder, "read", "--config", config, "--catalog", "catalog.json")
    return Counter(m["record"]["stream"] for m in messages if m["type"] == "RECORD"), messages, said


def main(folder):
    config = {"client_id": "airbyte", "client_secret": "s", "refresh_token": refresh_token("airbyte", "s"),
              "auth_type": "Client", "start_date": "2020-01-01", "stream_slice_step": "P3650D", "force_use_bulk_api": False}
    Path(folder, "config.json").write_text(json.dumps(config))
    messages, said = connector(folder, "check", "--config", "config.json")
    status = [m["connectionStatus"] for m in messages if m["type"] == "CONNECTION_STATUS"]
    client.tell("login", bool(status) and status[0]["status"] == "SUCCEEDED", status or said)
    messages, said = connector(folder, "discover", "--config", "config.json")
    streams = next((m["catalog"]["streams"] for m in messages if m["type"] == "CATALOG"), [])
    client.tell("describe", OBJECTS <= {s["name"] for s in streams}, f"{len(streams)} streams" if streams else said)
    rows, messages, said = read(folder, [s for s in streams if s["name"] in OBJECTS], "config.json")
    client.tell("bulk query", rows == {"Account": 2500, "User": 2}, dict(rows) or said)
    # What Bulk does not take, the connector reads by REST.
    rows, messages, said = read(folder, [s for s in streams if s["name"] == "ContentNote"], "config.json")
    client.tell("query, paged", rows == {"ContentNote": 2}, dict(rows) or said)
    Path(folder, "bad.json").write_text(json.dumps({**config, "refresh_token": "5Aep861none"}))
    messages, said = connector(folder, "check", "--config", "bad.json")
    status = [m["connectionStatus"] for m in messages if m["type"] == "CONNECTION_STATUS"]
    refused = status and status[0]["status"] == "FAILED" and "expired" in status[0]["message"]
    client.tell("errors", bool(refused), status or said)
    for name in ["create, update", "limits"]:
        client.lacks(name, "the connector only reads, and asks for no limits")


with tempfile.TemporaryDirectory() as scratch:
    main(scratch)
sys.exit(1 if client.failed else 0)
