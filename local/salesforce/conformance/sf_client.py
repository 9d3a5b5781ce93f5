"""What an unmodified sf CLI can do with the simulator. Prints one line of JSON per capability.

It logs in with a refresh token at the org's own host, through the proxy, as it would with the file of an authorized org.
Its bulk export takes no notice of proxies, so for that a second user logs in with an access token on loopback.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from capability import Client
from control import CONTROL, HTTP, post, refresh_token

NODE, CLI = os.environ["NODE"], os.environ["SF_CLI"]
client = Client("sf CLI")


class Failed(Exception):
    pass


def sf(*arguments, folder, fails=False, more={}):
    """Runs a command; gives its result, or its error's name where it must fail."""
    env = {**os.environ, **more, "HOME": str(folder), "SF_DISABLE_TELEMETRY": "true", "SF_SKIP_NEW_VERSION_CHECK": "true",
           "SF_AUTOUPDATE_DISABLE": "true", "SF_USE_GENERIC_UNIX_KEYCHAIN": "true", "SF_ORG_API_VERSION": "62.0"}
    done = subprocess.run([NODE, CLI, *arguments, "--json"], cwd=folder, env=env, capture_output=True, text=True, timeout=280)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise Failed(done.stdout[-1500:] + done.stderr[-1500:]) from None
    if (answer["status"] != 0) != fails:
        raise Failed(done.stdout[:1500])
    return answer["name"] if fails else answer["result"]


def main(folder):
    org = ["--target-org", "acme"]

    @client.capability("login")
    def _():
        file = folder / "url.txt"
        file.write_text(f"force://PlatformCLI::{refresh_token('PlatformCLI')}@acme.my.salesforce.com")
        user = sf("org", "login", "sfdx-url", "--sfdx-url-file", str(file), "--alias", "acme", folder=folder)
        assert user["username"] == os.environ["LOGIN"], user
        return user["instanceUrl"]

    @client.capability("describe")
    def _():
        contact = sf("sobject", "describe", "--sobject", "Contact", *org, folder=folder)
        assert any(f["name"] == "AccountId" for f in contact["fields"])
        objects = sf("sobject", "list", *org, folder=folder)
        assert "Account" in objects
        return f"{len(contact['fields'])} fields, {len(objects)} objects"

    @client.capability("query, paged")
    def _():
        found = sf("data", "query", "--query", "SELECT Id, Name, Owner.Name FROM Account", *org, folder=folder)
        assert len({row["Id"] for row in found["records"]}) == 2500, len(found["records"])
        return "2500 rows"

    @client.capability("bulk query")
    def _():
        token = post(CONTROL + "/orgs/acme/tokens", {"username": "sam@acme.example"})["access_token"]
        login = ["org", "login", "access-token", "--instance-url", HTTP, "--alias", "direct", "--no-prompt"]
        sf(*login, folder=folder, more={"SF_ACCESS_TOKEN": token})
        file = folder / "out.csv"
        query = ["--query", "SELECT Id, Name, Description FROM Account", "--output-file", str(file)]
        sf("data", "export", "bulk", *query, "--wait", "2", "--target-org", "direct", folder=folder)
        with open(file, newline="", encoding="utf-8") as rows:
            found = {row["Id"] for row in csv.DictReader(rows)}
        assert len(found) == 2500, len(found)
        return "2500 rows in pages of 1000"

    @client.capability("create, update")
    def _():
        task = ["--sobject", "Task", *org]
        made = sf("data", "create", "record", "--values", "Subject=Call Priority=High", *task, folder=folder)
        one = ["--record-id", made["id"], *task]
        sf("data", "update", "record", "--values", "Status=Completed", *one, folder=folder)
        row = sf("data", "get", "record", *one, folder=folder)
        assert row["IsClosed"] is True and row["Subject"] == "Call", row
        sf("data", "delete", "record", *one, folder=folder)
        return made["id"]

    @client.capability("bulk write")
    def _():
        file = folder / "leads.csv"
        file.write_text("LastName,Company\nOne,A\nTwo,B\n")
        done = sf("data", "import", "bulk", "--file", str(file), "--sobject", "Lead", "--wait", "2", *org, folder=folder)
        assert int(done["successfulRecords"]) == 2, done
        return done

    @client.capability("collections")
    def _():
        tree = {"records": [{"attributes": {"type": "Account", "referenceId": "a"}, "Name": "Planted"}]}
        file = folder / "tree.json"
        file.write_text(json.dumps(tree))
        made = sf("data", "import", "tree", "--files", str(file), *org, folder=folder)
        sf("data", "delete", "record", "--sobject", "Account", "--record-id", made[0]["id"], *org, folder=folder)
        return "a tree"

    @client.capability("limits")
    def _():
        limits = {one["name"]: one for one in sf("org", "list", "limits", *org, folder=folder)}
        assert limits["DailyApiRequests"]["remaining"] > 0
        return limits["DailyApiRequests"]

    @client.capability("errors")
    def _():
        query = ["data", "query", "--query", "SELECT Foo FROM Account"]
        record = ["data", "create", "record", "--sobject", "Contact", "--values", "FirstName=x"]
        names = [sf(*command, *org, folder=folder, fails=True) for command in [query, record]]
        assert names == ["INVALID_FIELD", "REQUIRED_FIELD_MISSING"], names
        return ", ".join(names)


with tempfile.TemporaryDirectory() as scratch:
    main(Path(scratch))
sys.exit(1 if client.failed else 0)
