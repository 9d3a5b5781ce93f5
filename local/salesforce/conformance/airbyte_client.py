"""What an unmodified airbyte-source-salesforce can do with the simulator. Prints one line of JSON per capability.

The connector's login address is fixed, so it comes through the simulator's proxy (`HTTPS_PROXY`) and trusts its CA
(`REQUESTS_CA_BUNDLE`). Its three commands read the same configuration file, so the app's refresh token does not rotate.
"""

import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections import Counter
from pathlib import Path

CONTROL, HTTP = os.environ["CONTROL_URL"], os.environ["HTTP_URL"]
CALLBACK = "http://127.0.0.1:9/callback"
OBJECTS = {"Account", "User"}
failed = False


def post(url, body, form=False):
    data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
    headers = {} if form else {"content-type": "application/json"}
    return json.load(urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers)))


def tell(name, ok, detail):
    global failed
    failed |= not ok
    print(json.dumps({"client": "airbyte", "capability": name, "ok": ok, "detail": str(detail)}))


def refresh_token():
    post(CONTROL + "/apps", {"client_id": "airbyte", "client_secret": "s", "name": "Airbyte",
                             "policy": {"rotation": False, "require_pkce": False}})
    query = urllib.parse.urlencode({"response_type": "code", "client_id": "airbyte", "redirect_uri": CALLBACK, "scope": "api refresh_token"})
    url = "https://login.salesforce.com/services/oauth2/authorize?" + query
    to = post(CONTROL + "/authorize", {"authorize_url": url, "username": os.environ["LOGIN"]})["redirect_to"]
    code = urllib.parse.parse_qs(urllib.parse.urlparse(to).query)["code"][0]
    body = {"grant_type": "authorization_code", "client_id": "airbyte", "client_secret": "s", "code": code, "redirect_uri": CALLBACK}
    return post(HTTP + "/services/oauth2/token", body, form=True)["refresh_token"]


def connector(folder, *arguments):
    command = [Path(sys.executable).with_name("source-salesforce"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=280)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return messages, done.stderr


def main(folder):
    config = {"client_id": "airbyte", "client_secret": "s", "refresh_token": refresh_token(), "auth_type": "Client",
              "start_date": "2020-01-01", "stream_slice_step": "P3650D", "force_use_bulk_api": False}
    Path(folder, "config.json").write_text(json.dumps(config))
    messages, error = connector(folder, "check", "--config", "config.json")
    status = [m["connectionStatus"] for m in messages if m["type"] == "CONNECTION_STATUS"]
    tell("login, check", bool(status) and status[0]["status"] == "SUCCEEDED", status or error)
    messages, error = connector(folder, "discover", "--config", "config.json")
    streams = next((m["catalog"]["streams"] for m in messages if m["type"] == "CATALOG"), [])
    tell("discover (describe)", OBJECTS <= {s["name"] for s in streams}, f"{len(streams)} streams" if streams else error)
    chosen = [{"stream": s, "sync_mode": "incremental", "destination_sync_mode": "append"} for s in streams if s["name"] in OBJECTS]
    Path(folder, "catalog.json").write_text(json.dumps({"streams": chosen}))
    messages, error = connector(folder, "read", "--config", "config.json", "--catalog", "catalog.json")
    rows = Counter(m["record"]["stream"] for m in messages if m["type"] == "RECORD")
    tell("incremental bulk read", rows == {"Account": 2500, "User": 2}, dict(rows) or error)


with tempfile.TemporaryDirectory() as scratch:
    main(scratch)
sys.exit(1 if failed else 0)
