"""Tries a deployed stack from end to end, on a throw-away account: what no emulator can prove.

Usage: smoke.py STACK [--only STEP,…] [--people N] [--api ADDRESS]

STACK is the name of a deployed stack, such as crm-sync-smoke. AWS credentials and the region come from the environment,
as for the AWS CLI; a token of the role `service` stands in CRM_SYNC_TOKEN. Steps, in their order:

  stack      it is complete, no alarm sounds, no message is dead
  functions  each is active, for the processor that the stack names, and runs its log group
  api        it answers, and refuses who has no token
  tick       what is due is sent, as each minute
  directory  N people (200,000 unless told: more than 64 MB) are uploaded, built into shards and published: uploads in
             parts with checksums (A1)
  connect    you connect an org in a browser; the script waits for its first match
  leave      the org is disconnected and purged, with a certificate

Every step says what it found; the first failure ends it. Nothing of the stack is changed but a tenant and a directory.
"""

import argparse
import gzip
import json
import os
import sys
import time
import urllib.error
import urllib.request

import boto3

STEPS = ["stack", "functions", "api", "tick", "directory", "connect", "leave"]
# How long anything is waited for, but a person.
PATIENCE = 15 * 60
PERSON = 30 * 60


class Failed(Exception):
    """A step did not find what it should."""


def hold(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Failed(otherwise)


class Smoke:
    def __init__(self, stack: str, people: int, api: str | None):
        self.stack, self.people = stack, people
        description = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        self.status = description["StackStatus"]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in description.get("Outputs", [])}
        self.base = (api or self.outputs["ApiUrl"]).rstrip("/")
        self.tenant = None

    def call(self, method: str, path: str, body=None, token: bool = True):
        """An answer of the API: its status and its JSON."""
        request = urllib.request.Request(self.base + path, method=method)
        if token:
            request.add_header("authorization", "Bearer " + os.environ["CRM_SYNC_TOKEN"])
        data = None
        if body is not None:
            request.add_header("content-type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                text, status = answer.read(), answer.status
        except urllib.error.HTTPError as error:
            text, status = error.read(), error.code
        try:
            return status, json.loads(text or b"null")
        except ValueError:
            return status, text.decode(errors="replace")

    def done(self, method: str, path: str, body=None):
        status, answer = self.call(method, path, body)
        hold(status < 300, f"{method} {path} was answered by {status}: {answer}")
        return answer

    def until(self, what: str, look, patience: int = PATIENCE):
        """What a look finds in the end."""
        end = time.time() + patience
        while time.time() < end:
            found = look()
            if found:
                return found
            time.sleep(1)
        raise Failed(f"{what}: not within {patience // 60} minutes")

    # ---- The steps

    def step_stack(self) -> str:
        hold(self.status.endswith("_COMPLETE") and "ROLLBACK" not in self.status, f"it is at {self.status}")
        alarms = boto3.client("cloudwatch").describe_alarms(AlarmNamePrefix=self.stack, StateValue="ALARM")
        sounding = [alarm["AlarmName"] for alarm in alarms.get("MetricAlarms", [])]
        hold(not sounding, f"alarms sound: {', '.join(sounding)}")
        queues, dead = boto3.client("sqs"), 0
        urls = queues.list_queues(QueueNamePrefix=f"{self.stack}-").get("QueueUrls", [])
        letters = [url for url in urls if url.endswith("-dead")]
        for url in letters:
            found = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            dead += int(found["Attributes"]["ApproximateNumberOfMessages"])
        hold(bool(letters) and dead == 0, f"{dead} messages are dead, of {len(letters)} queues")
        return f"{self.status}, {len(letters)} dead-letter queues are empty"

    def step_functions(self) -> str:
        client, arches, names = boto3.client("lambda"), set(), []
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                if function["FunctionName"].startswith(f"{self.stack}-"):
                    names.append(function["FunctionName"])
                    arches.update(function.get("Architectures", ["x86_64"]))
                    state = function.get("State", "Active")
                    hold(state == "Active", f"{function['FunctionName']} is {state}")
        hold(len(names) == 12, f"{len(names)} functions, not 12: {', '.join(sorted(names))}")
        hold(len(arches) == 1, f"functions for {', '.join(sorted(arches))}")
        return f"12 for {arches.pop()}"

    def step_api(self) -> str:
        status, _ = self.call("GET", "/openapi.yaml", token=False)
        hold(status == 200, f"/openapi.yaml was answered by {status}")
        nobody = "/v1/tenants/ten_00000000000000000000000000"
        status, _ = self.call("GET", nobody, token=False)
        hold(status == 401, f"a caller without a token was answered by {status}")
        status, _ = self.call("GET", nobody)
        hold(status == 404, f"a tenant that is not there was answered by {status}: is CRM_SYNC_TOKEN of this issuer?")
        return self.base

    def step_tick(self) -> str:
        # The schedule's own event.
        root = os.path.join(os.path.dirname(__file__), "..", "..", "events", "bulk-import.tick.json")
        with open(root, encoding="utf-8") as file:
            event = file.read()
        answer = boto3.client("lambda").invoke(
            FunctionName=f"{self.stack}-bulk-import", Payload=event.encode()
        )
        payload = answer["Payload"].read().decode()
        hold("FunctionError" not in answer, payload)
        return "done"

    def step_directory(self) -> str:
        begun = self.done("POST", "/v1/directory/versions", {"parts": [{"kind": "people"}, {"kind": "companies"}]})
        bodies = [self.lines(self.person, self.people), self.lines(self.company, 100)]
        sizes = []
        for upload, body in zip(begun["uploads"], bodies):
            request = urllib.request.Request(upload["url"], data=body, method="PUT")
            with urllib.request.urlopen(request, timeout=600) as answer:
                hold(answer.status < 300, f"the upload was answered by {answer.status}")
            sizes.append(len(body))
        version = f"/v1/directory/versions/{begun['version']}"
        self.done("POST", version + "/publish", {})

        def look():
            found = self.done("GET", version)
            hold(found["state"] != "failed", f"the version failed: {found}")
            return found if found["state"] == "published" else None

        found = self.until("the directory", look)
        hold(found["people"] == self.people, f"{found['people']} people, not {self.people}")
        return f"{found['people']:,} people in {found['shards']} shards, {sum(sizes) / 1e6:.0f} MB sent"

    @staticmethod
    def lines(make, number: int) -> bytes:
        return gzip.compress(b"".join(json.dumps(make(n)).encode() + b"\n" for n in range(number)), 1)

    @staticmethod
    def person(n: int) -> dict:
        name = {"first_name": f"Given{n % 997}", "last_name": f"Family{n}", "title": f"Role {n % 89}"}
        past = [{"title": f"Role {k}", "company": f"Company {(n * 31 + k) % 4999}"} for k in range(4)]
        return {"id": f"smoke_{n:09}", **name, "company": {"name": f"Company {n % 4999}"}, "past_positions": past}

    @staticmethod
    def company(n: int) -> dict:
        return {"id": f"smoke_c{n:06}", "name": f"Company {n}", "domain": f"company{n}.example"}

    def step_connect(self) -> str:
        made = self.done("POST", "/v1/tenants", {"name": "Smoke"})
        self.tenant = made["tenant_id"]
        wanted = {"tenant": self.tenant, "subject": "smoke", "roles": ["admin"]}
        link = self.done("POST", "/v1/console-links", wanted)
        print(f"    open this in a browser and connect an org: {link}", flush=True)
        path = f"/v1/tenants/{self.tenant}/connections/production"
        self.until("a connection", lambda: self.call("GET", path)[0] == 200, PERSON)

        def look():
            runs = self.done("GET", path + "/runs")["items"]
            return runs and all(run["state"] == "complete" for run in runs)

        self.until("the first import", look)
        summary = self.done("GET", path + "/matches/summary")
        return f"imported; {json.dumps(summary)[:200]}"

    def step_leave(self) -> str:
        hold(self.tenant is not None, "it follows on `connect`")
        path = f"/v1/tenants/{self.tenant}/connections/production"
        purge = self.done("DELETE", path)["purge_id"]
        of = f"/v1/tenants/{self.tenant}/purges/{purge}"
        found = self.until("the purge", lambda: self.done("GET", of).get("certificate"))
        return f"certificate {json.dumps(found)[:160]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stack")
    parser.add_argument("--only", default=",".join(STEPS))
    parser.add_argument("--people", type=int, default=200_000)
    parser.add_argument("--api")
    args = parser.parse_args()
    only = args.only.split(",")
    unknown = [step for step in only if step not in STEPS]
    if unknown:
        sys.exit(f"{', '.join(unknown)}: the steps are {', '.join(STEPS)}")
    if "CRM_SYNC_TOKEN" not in os.environ:
        sys.exit("CRM_SYNC_TOKEN holds a token of the role `service`")
    smoke = Smoke(args.stack, args.people, args.api)
    for step in (step for step in STEPS if step in only):
        try:
            print(f"{step:10} {getattr(smoke, 'step_' + step)()}", flush=True)
        except Failed as failure:
            sys.exit(f"{step:10} FAILED: {failure}")


if __name__ == "__main__":
    main()
