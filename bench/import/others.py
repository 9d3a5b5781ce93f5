"""Reads the simulator's contacts with somebody else's client, unmodified: `others.py simple-salesforce|airbyte READY.json
CA.pem`. Prints a line of JSON like import-bench does. Both read the fields that crm-sync reads."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FIELDS = """Id SystemModstamp AccountId CreatedDate Department Description Email Fax FirstName LastActivityDate LastName
LastModifiedDate LastReferencedDate LastViewedDate LeadSource MailingStreet MailingCity MailingCountry MailingState Name Phone
Title OwnerId MasterRecordId IsDeleted HasOptedOutOfEmail""".split()


def control(ready, path, body):
    request = urllib.request.Request(ready["control_url"].rstrip("/") + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        return json.loads(reply.read() or b"null")


def simple_salesforce(ready):
    from simple_salesforce import Salesforce

    token = control(ready, "/orgs/bench/tokens", {"username": "admin@bench.example"})
    token = token["access_token"] if isinstance(token, dict) else token
    client = Salesforce(session_id=token, instance_url=ready["http_url"].replace("http://", "https://"), version="62.0")
    rows = 0
    for page in client.bulk2.Contact.query(f"SELECT {','.join(FIELDS)} FROM Contact", max_records=50_000):
        rows += page.count("\n") - 1
    return rows


def airbyte(ready):
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "local/salesforce/conformance"))
        from control import refresh_token

        config = {"client_id": "airbyte", "client_secret": "s", "refresh_token": refresh_token("airbyte", "s"), "auth_type": "Client",
                  "start_date": "2020-01-01", "stream_slice_step": "P3650D", "force_use_bulk_api": True}
        Path(folder, "config.json").write_text(json.dumps(config))
        properties = {name: {"type": ["string", "boolean", "null"]} for name in FIELDS}
        stream = {"name": "Contact", "json_schema": {"type": "object", "properties": properties},
                  "supported_sync_modes": ["full_refresh", "incremental"]}
        chosen = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}
        Path(folder, "catalog.json").write_text(json.dumps({"streams": [chosen]}))
        command = [Path(sys.executable).with_name("source-salesforce"), "read", "--config", "config.json", "--catalog", "catalog.json"]
        rows = 0
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            for line in process.stdout:
                rows += line.startswith(b'{"type":"RECORD"')
        return rows


def main(which, ready, ca):
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    ready = json.loads(Path(ready).read_text())
    if which == "airbyte":
        os.environ.update(HTTPS_PROXY=ready["proxy_url"], CONTROL_URL=ready["control_url"], HTTP_URL=ready["http_url"],
                          LOGIN="admin@bench.example", NO_PROXY="127.0.0.1,localhost")
    begun = time.monotonic()
    rows = {"simple-salesforce": simple_salesforce, "airbyte": airbyte}[which](ready)
    seconds = time.monotonic() - begun
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(json.dumps({"client": which, "records": rows, "seconds": seconds, "rows_per_second": int(rows / seconds),
                      "processor_seconds": sum(used.ru_utime + used.ru_stime for used in usage),
                      "peak_megabytes": max(used.ru_maxrss for used in usage) // 1024}))


main(*sys.argv[1:])
