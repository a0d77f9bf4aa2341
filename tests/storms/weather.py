"""What the server of a storm answers: each path says by itself what weather it has."""

import json

from rig.script import (
    Gate,
    Script,
    answer,
    chunked_answer,
    close,
    drip,
    gzip_answer,
    head,
    hold,
    json_answer,
    pause,
    reset,
    silence,
    token_answer,
)
from rig.server import FaultServer, Request

GROUPS = "/public/v1/user-groups/"
LATENCY = 0.02  # seconds that SmartPM takes
LIFE = 300  # seconds that a token lives
NOBODY = "00000000-0000-0000-0000-000000000000"  # the group that does not exist
QUICK = "eeeeeeee-0000-0000-0000-000000000000"  # the group that is answered at once
HELD = "ffffffff"  # with this begin the groups that wait at the gate

_PAGE = json.dumps({"data": [{"id": "a", "name": "Ada"}], "nextToken": None}).encode()
_BIG = json.dumps({"data": [{"id": "a", "name": "x" * 300_000}]}).encode()

_USERS: dict[str, Script] = {
    "good": answer(_PAGE),
    "slow": (pause(0.02), answer(_PAGE)),
    "last": (answer(_PAGE, headers={"Connection": "close"}), close),
    "chunked": chunked_answer(_PAGE, size=7),
    "gzip": gzip_answer(_PAGE),
    "big": answer(_BIG),
    "drip": (head(200, length=len(_PAGE)), drip(_PAGE, every=0.002, size=8)),
    "drip-for-ever": (head(200, length=10_000), drip(b"x" * 10_000, every=0.02)),
    "silent": (silence,),
    "eof": (close,),
    "eof-in-head": (b"HTTP/1.1 200 OK\r\nContent-", close),
    "eof-in-body": (answer(_PAGE, length=len(_PAGE) + 1), close),
    "cut-big": (answer(_BIG, length=len(_BIG) + 1), close),
    "cut-chunks": (chunked_answer(_PAGE, ended=False), close),
    "cut-gzip": gzip_answer(_PAGE, cut=4),
    "reset": (reset,),
    "reset-in-head": (b"HTTP/1.1 200 OK\r\nContent-", reset),
    "reset-in-body": (answer(_PAGE, length=len(_PAGE) + 1), reset),
    "no-http": (b"what?\r\n\r\n", close),
    "busy": json_answer({"message": "busy"}, 503),
    "busy-with-date": json_answer({"message": "busy"}, 429, {"Retry-After": "0"}),
    "nobody": json_answer({"message": "not found"}, 404),
    "odd": json_answer({"data": 7}),
}
WEATHER = tuple(_USERS)
GOOD = ("good", "slow", "last", "chunked", "gzip", "big", "drip")


class Weather:
    """
    Makes a server answer as storms want it.

    m3ter: a user is named after one of `WEATHER`, with a number after it; now and then there is a
    second page in good weather, and every hundredth request is refused. The user "good", without a
    number, is spared both. SmartPM: each answer takes `LATENCY`; `NOBODY` is
    answered 404 at half of it, and `QUICK` at once; groups that begin with `HELD` wait at the gate.
    """

    def __init__(self, server: FaultServer) -> None:
        self.gate = Gate()
        self.used: set[str | None] = set()  # the tokens that came with requests
        self.tokens = server.always("/oauth/token", lambda request, n: token_answer(f"CANARY-{n}", expires_in=LIFE))
        server.always("/organizations/*", self._user)
        server.always(GROUPS + "*", self._group)

    def _user(self, request: Request, n: int) -> Script:
        user = request.path.split("/")[4]
        self.used.add(request.header("Authorization"))
        if user != "good" and n % 100 == 0:
            return json_answer({"message": "expired"}, 401)
        kind = user.partition(".")[0]
        if kind == "good" and n % 3 == 0 and user != kind and b"nextToken" not in request.target:
            return json_answer({"data": [{"id": "a"}], "nextToken": str(n)})
        return _USERS[kind]

    def _group(self, request: Request, n: int) -> Script:
        group = request.path.removeprefix(GROUPS)
        if group == NOBODY:
            return pause(LATENCY / 2), json_answer({"message": "not found"}, 404)
        good = json_answer({"id": group, "name": "Operators", "users": []})
        if group == QUICK:
            return good
        return hold(self.gate) if group.startswith(HELD) else pause(LATENCY), good
