"""Calls of the simulator's control API that stand in for a person: consent, and an administrator's settings."""

import json
import os
import urllib.parse
import urllib.request

CONTROL, HTTP = os.environ["CONTROL_URL"], os.environ["HTTP_URL"]
CALLBACK = "http://127.0.0.1:9/callback"


def post(url, body, form=False):
    data = urllib.parse.urlencode(body).encode() if form else json.dumps(body).encode()
    headers = {} if form else {"content-type": "application/json"}
    return json.load(urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers)))


def refresh_token(client_id, client_secret=None):
    """Makes an app whose refresh tokens do not rotate, logs in to it, and gives the grant's token."""
    needs_secret = client_secret is not None
    post(CONTROL + "/apps", {
        "client_id": client_id, "client_secret": client_secret or "none", "name": client_id,
        "policy": {"rotation": False, "require_pkce": False, "require_secret": needs_secret,
                   "require_secret_for_refresh": needs_secret},
    })
    query = {"response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "scope": "api refresh_token web"}
    url = "https://login.salesforce.com/services/oauth2/authorize?" + urllib.parse.urlencode(query)
    to = post(CONTROL + "/authorize", {"authorize_url": url, "username": os.environ["LOGIN"]})["redirect_to"]
    code = urllib.parse.parse_qs(urllib.parse.urlparse(to).query)["code"][0]
    body = {"grant_type": "authorization_code", "client_id": client_id, "code": code, "redirect_uri": CALLBACK}
    if needs_secret:
        body["client_secret"] = client_secret
    return post(HTTP + "/services/oauth2/token", body, form=True)["refresh_token"]
