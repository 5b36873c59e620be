"""Ask a real Home Assistant for things, as its administrator does: REST and one websocket command at a time.

For tests that change a home. It shares nothing with the engine's own client, so that it can judge it.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from websockets.sync.client import connect

ANSWER_SECONDS_MAX = 120  # Adding 20,000 entities blocks Home Assistant for 9 s, longer on a busy machine.
# Straight to the server: a proxy set for the machine must not see loopback requests.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class CommandError(Exception):
    """Home Assistant answered `success: false`."""

    def __init__(self, command: str, code: str, message: str) -> None:
        super().__init__(f"{command}: {code}: {message}")
        self.code = code


def send_command(url: str, token: str, command: str, **parameters: Any) -> Any:
    """The `result` of one websocket command, on a connection of its own.

    Raises CommandError when it is refused, OSError or WebSocketException when the server is not there.
    """
    address = url.replace("http://", "ws://") + "/api/websocket"
    # No pings: a core that adds thousands of entities answers none for seconds, and is well.
    with connect(address, max_size=None, compression=None, proxy=None, ping_interval=None) as websocket:
        websocket.recv(timeout=ANSWER_SECONDS_MAX)
        websocket.send(json.dumps({"type": "auth", "access_token": token}))
        admitted = json.loads(websocket.recv(timeout=ANSWER_SECONDS_MAX))
        if admitted["type"] != "auth_ok":
            raise CommandError("auth", admitted["type"], admitted["message"])
        websocket.send(json.dumps({"id": 1, "type": command, **parameters}))
        answer = json.loads(websocket.recv(timeout=ANSWER_SECONDS_MAX))
    if not answer["success"]:
        raise CommandError(command, answer["error"]["code"], answer["error"]["message"])
    return answer["result"]


def request(
    method: str,
    url: str,
    *,
    token: str = "",
    body: object = None,
    form: dict[str, str] | None = None,
) -> Any:
    """The decoded JSON answer to one REST request; sends `body` as JSON, or else `form` as a web form.

    Raises urllib.error.HTTPError for a status of 400 and above, OSError when the server is not there.
    """
    data = None
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    elif form is not None:
        data = urllib.parse.urlencode(form).encode()
    question = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with _OPENER.open(question, timeout=ANSWER_SECONDS_MAX) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        refusal.close()  # it holds the connection; one left open is a warning, hence an error, of the test run
        raise


def long_lived_token(url: str, authorization_code: str, client_name: str) -> str:
    """A token that outlives restarts, for the user whose log-in gave the code."""
    form = {"client_id": client_id(url), "grant_type": "authorization_code", "code": authorization_code}
    access = request("POST", f"{url}/auth/token", form=form)["access_token"]
    token: str = send_command(
        url, access, "auth/long_lived_access_token", client_name=client_name, lifespan=30
    )
    return token


def log_in(url: str, username: str, password: str) -> str:
    """The authorization code of a user with a password."""
    who = {"client_id": client_id(url)}
    start = {**who, "handler": ["homeassistant", None], "redirect_uri": client_id(url)}
    flow_id = request("POST", f"{url}/auth/login_flow", body=start)["flow_id"]
    answer = {**who, "username": username, "password": password}
    code: str = request("POST", f"{url}/auth/login_flow/{flow_id}", body=answer)["result"]
    return code


def client_id(url: str) -> str:
    """What we call ourselves to Home Assistant, which wants a web address."""
    return url + "/"
