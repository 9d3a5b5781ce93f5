"""What an unmodified simple-salesforce can do with the simulator. Prints one line of JSON per capability."""

import datetime
import os
import sys

from simple_salesforce import Salesforce, SalesforceMalformedRequest, SalesforceResourceNotFound

from capability import Client

client = Client("simple-salesforce")
# REQUESTS_CA_BUNDLE names the test CA; the library forces https.
sf = Salesforce(
    session_id=os.environ["ACCESS_TOKEN"],
    instance_url=os.environ["HTTPS_URL"],
    version="62.0",
)


@client.capability("login")
def _():
    # Its own login goes to the org's host, through the proxy: the client credentials flow.
    own = Salesforce(
        consumer_key=os.environ["CLIENT_ID"],
        consumer_secret=os.environ["CLIENT_SECRET"],
        domain="acme.my",
        proxies={"https": os.environ["HTTPS_PROXY"]},
        version="62.0",
    )
    return own.query("SELECT Username FROM User LIMIT 1")["records"][0]["Username"]


@client.capability("describe")
def _():
    fields = {field["name"]: field for field in sf.Contact.describe()["fields"]}
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert any(o["name"] == "Account" for o in sf.describe()["sobjects"])
    return f"{len(fields)} fields"


@client.capability("query, paged")
def _():
    rows = sf.query_all("SELECT Id, Name, Owner.Name FROM Account")["records"]
    assert len(rows) == 2500 and rows[0]["Owner"]["Name"]
    assert len({row["Id"] for row in rows}) == 2500
    assert len(list(sf.query_all_iter("SELECT Id FROM Account", include_deleted=True))) == 2500
    return f"{len(rows)} rows"


@client.capability("bulk query")
def _():
    pages = list(sf.bulk2.Account.query("SELECT Id, Name, Description FROM Account", max_records=1000))
    assert len(pages) == 3
    rows = sum(page.count("\n") - 1 for page in pages)
    assert rows == 2500, rows
    return f"{len(pages)} pages"


@client.capability("create, update")
def _():
    created = sf.Task.create({"Subject": "Call", "Priority": "High"})
    assert created["success"]
    assert sf.Task.get(created["id"])["Subject"] == "Call"
    assert sf.Task.update(created["id"], {"Status": "Completed"}) == 204
    assert sf.Task.get(created["id"])["IsClosed"] is True
    assert sf.Task.delete(created["id"]) == 204
    return created["id"]


@client.capability("upsert")
def _():
    assert sf.Task.upsert("Marker__c/m1", {"Subject": "one"}) == 201
    assert sf.Task.upsert("Marker__c/m1", {"Subject": "two"}) == 200
    found = sf.query("SELECT Id, Subject FROM Task WHERE Marker__c = 'm1'")["records"]
    assert len(found) == 1 and found[0]["Subject"] == "two"
    return "201, 200"


@client.capability("bulk write")
def _():
    rows = [{"LastName": f"L{n}", "Company": "C" if n else ""} for n in range(5)]
    result = sf.bulk2.Lead.insert(records=rows)[0]
    assert result["numberRecordsProcessed"] == 5 and result["numberRecordsFailed"] == 1, result
    text = sf.bulk2.Lead.get_failed_records(result["job_id"])
    assert "REQUIRED_FIELD_MISSING" in text
    return result


@client.capability("limits")
def _():
    limits = sf.limits()
    assert limits["DailyApiRequests"]["Remaining"] > 0
    assert sf.api_usage["api-usage"].used > 0
    return limits["DailyApiRequests"]


@client.capability("deleted, updated")
def _():
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=5)
    start = end - datetime.timedelta(days=2)
    assert len(sf.Account.updated(start, end)["ids"]) == 2500
    return len(sf.Task.deleted(start, end)["deletedRecords"])


@client.capability("errors")
def _():
    try:
        sf.query("SELECT Foo FROM Account")
        raise AssertionError("no error")
    except SalesforceMalformedRequest as error:
        assert error.content[0]["errorCode"] == "INVALID_FIELD", error.content
    try:
        sf.Contact.create({"FirstName": "x"})
        raise AssertionError("no error")
    except SalesforceMalformedRequest as error:
        assert error.content[0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    try:
        sf.Contact.get("003000000000000")
        raise AssertionError("no error")
    except SalesforceResourceNotFound:
        pass
    return "INVALID_FIELD, REQUIRED_FIELD_MISSING, NOT_FOUND"


sys.exit(1 if client.failed else 0)
