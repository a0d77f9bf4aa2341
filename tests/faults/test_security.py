"""Secrets and settings: what is shown to nobody, whatever a server repeats, and what is refused before any request."""

import asyncio
import copy
import html
import json
import logging
import math
import pickle
import random
import string
import time
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from inspect import isawaitable
from typing import Any
from urllib.parse import quote, quote_plus, unquote_to_bytes

import fakeredis
import httpx
import pytest
import rich.traceback
from redis import exceptions as redis_errors

from faults.calls import GOOD_GROUP, GOOD_PAGE, GROUP_ID, LIST, TOKEN, cases, error_of, listed, serve
from rig import canary
from rig.fixtures import MakeM3ter, MakeServer, MakeSmartPM
from rig.frames import OURS, shown
from rig.leaks import Watch
from rig.script import Script, answer, close, json_answer, reset, silence, token_answer
from rig.server import FaultServer, Request
from usergroups import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    M3terClient,
    PaginationError,
    RetryPolicy,
    SmartPMClient,
    Token,
    sweep,
)
from usergroups.stores import RedisTokenStore
from usergroups.transports import aiohttp_transport

ONCE = RetryPolicy(attempts=1)

sizes = pytest.mark.parametrize("size", [20, 127, 4000])

pytestmark = pytest.mark.usefixtures("quiet")  # what a server repeats in headers, httpcore logs


def secret_of(name: str, size: int) -> str:
    """Make up a secret of *size* characters, each time the same."""
    made_up = random.Random(f"{name} {size}").choices(string.ascii_letters + string.digits, k=size)
    return canary.WORD + "".join(made_up)[len(canary.WORD) :]


def by_rich(error: BaseException) -> str:
    """Return what rich shows of *error* and of the local variables on its way."""
    trace = rich.traceback.Traceback.extract(
        type(error), error, error.__traceback__, show_locals=True, locals_hide_dunder=False
    )
    frames = [frame for stack in trace.stacks for frame in stack.frames]
    shown = [f"{name} = {node.render()}" for frame in frames for name, node in (frame.locals or {}).items()]
    return "\n".join([*(stack.exc_value for stack in trace.stacks), *shown])


def told(error: BaseException, *secrets: str) -> list[str]:
    """Return where *error*, its copies, its traceback, or the SDK's frames tell one of *secrets*, or a piece of it."""
    found = shown(error, secrets) + canary.sweep_exception(error)
    texts = {
        "rich": by_rich(error),
        "traceback": "".join(traceback.format_exception(error)),
        "copies": repr([vars(pickle.loads(pickle.dumps(error))), vars(copy.deepcopy(error))]),
    }
    return found + [place for place, text in texts.items() if any(secret[:12] in text for secret in secrets)]


def without_ours(error: BaseException) -> BaseException:
    """Take the frames of the tests out of the traceback of *error*: what they hold is theirs."""
    traceback = error.__traceback__
    while traceback is not None and not traceback.tb_frame.f_code.co_filename.startswith(OURS):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


# 74, 87 and 88: servers that repeat what they were sent


def test_f87_the_walker_finds_what_tools_show() -> None:
    """The search of these tests finds a secret behind a class of its own, in a container, and in a closure."""
    secret = secret_of("walker", 40)

    class Shy(str):
        __slots__ = ()

        def __repr__(self) -> str:
            return "'***'"

    def fails(value: object) -> None:
        raise LookupError

    for value in (Shy(secret), {"key": [secret.encode()]}, lambda: secret, secret[:8]):
        with pytest.raises(LookupError) as caught:
            fails(value)
        assert shown(caught.value, [secret], folders=(__file__,))


def echo(status: int, *then: Any, length: int | None = None) -> Callable[[Request, int], Script]:
    """Answer *status* with all that the request held: in the body, in headers, and as the provider's words."""

    def script(request: Request, n: int) -> Script:
        said = request.header("Authorization") or request.header("X-API-KEY") or ""
        document = {"message": f"who is {said}?", "error": said, "headers": request.headers, "data": said}
        headers = {
            "X-Request-Id": said[:4000],
            "WWW-Authenticate": f'Bearer realm="{said[:4000]}"',
            "Location": f"/{said[:4000]}",
            f"X-{said.split()[-1].strip('=')[:4000]}": "1",
        }
        return answer(json.dumps(document).encode(), status, headers, length=length), *then

    return script


ENDS = {
    **{str(status): echo(status) for status in (200, 204, 301, 400, 401, 403, 404, 413, 422, 429, 451, 500, 503, 599)},
    "cut body": echo(200, close, length=100_000),
    "cut 500": echo(500, close, length=100_000),
    "never ends": echo(200, silence, length=100_000),
    "silence": (silence,),
    "no answer": (close,),
    "reset": (reset,),
}


@sizes
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_f74_f87_f88_calls(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, watch: Watch, size: int, end: Script
) -> None:
    """However a call ends, and though the server repeats what it was sent, nothing shows a secret: no error, no log."""
    user, password, token, key = (secret_of(name, size) for name in ("user", "password", "token", "key"))
    server.always(TOKEN, token_answer(token))
    server.always("*", end)
    retry = RetryPolicy(attempts=2, backoff_initial=0.001)
    one = m3ter(server, api_key=user, api_secret=password, timeout=0.3, retry=retry)
    other = smartpm(server, api_key=key, timeout=0.3, retry=retry)

    errors = [await error_of(listed(one)), await error_of(other.get_user_group(GROUP_ID))]

    assert [told(without_ours(error), user, password, token, key) for error in errors] == [[], []]
    assert [canary.sweep_object(client) for client in (one, other)] == [[], []]
    assert watch.log.records > 0


@sizes
@pytest.mark.parametrize("end", [*ENDS, "no life", "spaces", "another type", "cut JSON", "more than JSON", "too long"])
async def test_f74_f87_f88_token_endpoint(m3ter: MakeM3ter, server: FaultServer, size: int, end: str) -> None:
    """However the token endpoint fails, nothing shows the credentials or the token."""
    user, password, token = (secret_of(name, size) for name in ("user", "password", "token"))
    scripts = {
        "no life": token_answer(token, 0),
        "spaces": token_answer(f"{token} {token}"),
        "another type": token_answer(token, token_type="mac"),
        "cut JSON": answer(b'{"access_token": "' + token.encode()),
        "more than JSON": answer(b'{"access_token": "' + token.encode() + b'"}}'),
        "too long": token_answer(token * (16_385 // size + 1)),
    }
    server.always(TOKEN, {**ENDS, **scripts}[end])
    client = m3ter(server, api_key=user, api_secret=password, timeout=0.3, retry=ONCE)

    errors = [await error_of(listed(client)), await error_of(client.authenticate())]

    assert [told(without_ours(error), user, password, token) for error in errors] == [[], []]


async def test_f74_good_calls_tell_nothing(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls that go well log nothing above DEBUG, no secret at DEBUG, and send each secret in its one header alone."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpcore")
    serve(server, tokens=token_answer())
    server.always("*", GOOD_GROUP)
    one, other = m3ter(server), smartpm(server)

    given = [await one.list_user_groups("u").collect(), await other.get_user_group(GROUP_ID)]

    assert not [record for record in caplog.records if record.name == "usergroups" and record.levelno > logging.DEBUG]
    assert not canary.has_canary(f"{caplog.text} {given!r} {one!r} {other!r}")
    for client in (one, other):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(client)
    sent = [{name: value for name, value in one.headers if canary.has_canary(value)} for one in server.requests]
    assert sent == [
        {"authorization": f"Basic {canary.BASIC}"},
        {"authorization": f"Bearer {canary.ACCESS_TOKEN}"},
        {"x-api-key": canary.SMARTPM_API_KEY},
    ]
    assert not any(canary.has_canary(one.target + one.body) for one in server.requests)


async def test_f87_listing_that_repeats(m3ter: MakeM3ter, server: FaultServer) -> None:
    """A listing that goes round shows no secret, though its pages repeat it in headers."""
    token = secret_of("token", 127)
    repeating = json_answer({"data": [], "nextToken": "t", "said": token}, headers={"X-Echo": token})
    serve(server, repeating, tokens=token_answer(token))

    error = await error_of(listed(m3ter(server)))

    assert isinstance(error, PaginationError)
    assert told(without_ours(error), token) == []


def only(server: FaultServer, path: str, script: Any) -> None:
    """Have *server* answer *script* to requests for *path*, and nothing else any more."""
    server.forget()
    server.always(path, script)


def spelt(how: Callable[[str], str]) -> Callable[[str], str]:
    """Spell each character of a text as *how* says."""
    return lambda text: "".join(map(how, text))


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON's numbers": spelt(lambda c: f"\\u{ord(c):04x}"),
    "JSON's numbers in capitals": spelt(lambda c: f"\\u{ord(c):04X}"),
    "JSON's solidus": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON's numbers in JSON": lambda text: json.dumps("".join(f"\\u{ord(c):04x}" for c in text))[1:-1],
    "backslashes": spelt(lambda c: c if c.isalnum() else f"\\{c}"),
    "Python's numbers": spelt(lambda c: f"\\x{ord(c):02x}"),
    "URL": lambda text: quote(text, safe=""),
    "URL's numbers": spelt(lambda c: f"%{ord(c):02x}"),
    "form": quote_plus,
    "URL in a URL": lambda text: quote(quote(text, safe=""), safe=""),
    "HTML": html.escape,
    "HTML's numbers": spelt(lambda c: f"&#{ord(c)};"),
    "HTML's numbers with zeros": spelt(lambda c: f"&#{ord(c):07};"),
    "HTML's numbers in hexadecimal": spelt(lambda c: f"&#x{ord(c):x};"),
    "HTML's names": lambda text: (
        html.escape(text).replace("=", "&equals;").replace("/", "&sol;").replace("+", "&plus;")
    ),
    "HTML in JSON": lambda text: json.dumps(html.escape(text)).replace("&", "\\u0026")[1:-1],
    "JSON in a page": lambda text: html.escape(json.dumps(text)[1:-1]),
}

SIGNS = "k3y<1>&'2'+/3=%41\\u0041\"x\\ ~Q-_.z"  # holds what reads as spelling
SECRETS = {
    "signs": f"CANARY {SIGNS}",
    "hyphens": "-" * 40,
    "letters": "CANARYlettersAndDigits0123456789",
    "eight": "CANARY99",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
async def test_f88_spellings(
    smartpm: MakeSmartPM, server: FaultServer, secret: str, spell: Callable[[str], str]
) -> None:
    """A key that the server repeats is hidden, however it is spelt and wherever it stands."""
    said = spell(secret)
    sign = "!" if "!" not in said else "?"
    bodies = [
        f"no {said}{sign}",
        f'{{"message": "no {said}{sign}", "x": 1}}',
        json.dumps({"message": f"no {said}{sign}"}),
        f"<html><head><title>no {said}{sign}</title></head></html>",
        json.dumps({"trace": [{"at": said}]}),
    ]
    headers = {"X-Request-Id": f"r {said}", "X-Echo": f"a {said}{sign}"}
    client = smartpm(server, api_key=secret, retry=ONCE)

    for body in bodies:
        only(server, "*", answer(body.encode(), 400, headers))
        error = await error_of(client.get_user_group(GROUP_ID))
        assert isinstance(error, APIStatusError)
        texts = [str(error), error.message, error.body, error.request_id or "", *error.headers.values()]
        assert [text for text in texts if secret[:8].lower() in text.lower() or said[:24] in text] == []
        assert error.request_id == "r ***"
        assert error.headers["x-echo"] == f"a ***{sign}"


async def test_f88_any_secret_of_the_client(m3ter: MakeM3ter, server: FaultServer) -> None:
    """The API secret, the Basic value, and the tokens before and after a replacement are all hidden, in all answers."""
    # Those that are still to come are nobody's secret yet, so that they are no canaries.
    tokens = [secret_of(f"token {number}", 40).removeprefix(canary.WORD) for number in range(4)]
    user, password = secret_of("user", 20), secret_of("password", 40)
    basic = b64encode(f"{user}:{password}".encode()).decode()
    everything = [user, password, basic, *tokens]
    coming = iter(tokens)
    refusal = json_answer(
        {"message": " ".join(everything), "more": everything},
        401,
        {"X-Request-Id": everything[-1], **{f"X-{one.strip('=')}": one for one in everything}},
    )
    client = m3ter(server, api_key=user, api_secret=password, retry=ONCE)
    found: list[str] = []

    def give(request: Request, n: int) -> Script:
        return token_answer(next(coming), 1000)

    for _ in range(2):  # the first call fetches, the second finds its token refused and replaces it
        only(server, LIST, GOOD_PAGE)
        server.always(TOKEN, give)
        await listed(client)
        only(server, LIST, refusal)
        server.always(TOKEN, give)
        error = await error_of(listed(client))
        fetched = server.count(TOKEN)
        known = [user, password, basic, *tokens[:fetched]]
        everything_told = f"{error} {vars(error)}".lower()
        found += [one for one in known if one[:12].lower() in everything_told]

    assert fetched >= 2
    assert isinstance(error, AuthenticationError)
    assert found == []


@pytest.mark.parametrize("place", ["token endpoint", "API"])
@pytest.mark.parametrize("before", ["", "x", "x" * 30])
async def test_f88_content_coding(m3ter: MakeM3ter, server: FaultServer, place: str, before: str) -> None:
    """A secret that comes as the name of a content coding is in no error."""
    token, password = secret_of("token", 60), secret_of("password", 60)
    for secret in (token, password):
        odd = answer(b"x", 200, {"Content-Encoding": before + secret})
        only(server, TOKEN, odd if place == "token endpoint" and secret is password else token_answer(token))
        server.always(LIST, odd)
        client = m3ter(server, api_secret=password, retry=ONCE)

        error = await error_of(listed(client))

        assert "content coding" in str(error)
        assert secret[:8].lower() not in f"{error} {vars(error)}".lower()


@pytest.mark.parametrize(
    "spell", [str, SPELLINGS["JSON's numbers"], SPELLINGS["HTML's numbers"]], ids=["raw", "u", "&"]
)
@pytest.mark.parametrize("size", [30, 1000, 16_000])
@pytest.mark.parametrize("bound", [1000, 4096, 8192])
async def test_f88_words_cut_at_any_bound(
    smartpm: MakeSmartPM, server: FaultServer, spell: Callable[[str], str], size: int, bound: int
) -> None:
    """A secret that stands where the SDK, or the connection, cuts a text is not told in part either."""
    secret = secret_of("key", size)
    client = smartpm(server, api_key=secret, retry=ONCE)
    said = spell(secret)

    for before in (bound - 1, bound - 7, bound - 20, max(0, bound - len(said)), max(0, bound - len(said) + 1)):
        for body in (
            "x" * before + said + "y" * 9000,
            "x" * before + said[: len(said) // 2],
            "y " * (before // 2) + said,
        ):
            only(server, "*", answer(body.encode(), 500))
            error = await error_of(client.get_user_group(GROUP_ID))
            assert isinstance(error, APIStatusError)
            assert told_pieces(secret, error.message, error.body) == []
            assert said[:48] not in error.body + error.message


def told_pieces(secret: str, *texts: str) -> list[str]:
    """Return the pieces of 8 characters of *secret* that are in *texts*."""
    pieces = {secret[at : at + 8] for at in range(len(secret) - 7)}
    return [piece for piece in pieces for text in texts if piece in text]


KIB = 1024
HYPHENS = "-" * 16_000
NEAR = "-" * 15_999 + "x"


@pytest.mark.parametrize("spell", [str, *(SPELLINGS[n] for n in SPELLINGS if "numbers" in n or n == "backslashes")])
async def test_f88_looking_costs_next_to_nothing(
    make_m3ter: MakeM3ter, server: FaultServer, spell: Callable[[str], str], watch: Watch
) -> None:
    """The longest token, and the largest body of near misses, cost far less than 50 ms of the loop."""
    body = json.dumps({"said": (spell(NEAR) * 17)[: 250 * KIB], "message": spell(NEAR)}).encode()[: 256 * KIB]
    server.always(TOKEN, token_answer(HYPHENS))
    server.always(LIST, answer(body, 500, {"X-Echo": spell(NEAR)[: 60 * KIB]}))
    client = make_m3ter(server, retry=ONCE, max_rate=None)

    looking: list[float] = []
    for _ in range(5):
        used = time.thread_time()
        error = await error_of(listed(client))
        looking.append(time.thread_time() - used)
    used = time.thread_time()
    for _ in range(200_000):  # 6 ms where it was written, and more wherever the rest takes more, too
        len(body)
    reference = time.thread_time() - used

    assert min(looking) < 5 * reference, f"{min(looking):.4f} s, and {reference:.4f} s for the reference"
    assert "-" * 8 not in f"{error} {vars(error)}"


# 87: what is refused, and stores that fail


@sizes
@cases("bad", {"a line end": "{}\n", "not ASCII": "{}é", "a space": " {}", "NUL": "\0{}"})
@pytest.mark.parametrize("how", ["argument", "variable"])
def test_f87_constructors(monkeypatch: pytest.MonkeyPatch, size: int, bad: str, how: str) -> None:
    """Whatever a constructor refuses, a traceback with local variables shows no secret in our frames."""
    good, other = secret_of("good", size), secret_of("other", size)
    refused = bad.format(secret_of("refused", size))
    calls: list[tuple[Callable[..., object], dict[str, Any]]] = [
        (M3terClient, {"org_id": "o", "api_key": refused, "api_secret": good}),
        (M3terClient, {"org_id": "o", "api_key": good, "api_secret": refused}),
        (M3terClient, {"org_id": "o", "api_key": f"{good}:", "api_secret": other}),
        (M3terClient, {"org_id": "", "api_key": good, "api_secret": other}),
        (M3terClient, {"org_id": "o", "api_key": good, "api_secret": other, "base_url": f"https://u:{refused}@h"}),
        (M3terClient, {"org_id": "o", "api_key": good, "api_secret": other, "base_url": f"https://{other}@[::1"}),
        (SmartPMClient, {"company_id": "c", "api_key": refused}),
        (SmartPMClient, {"company_id": "", "api_key": good}),
        (SmartPMClient, {"company_id": "c", "api_key": good, "base_url": f"http://u:{other}@h"}),
    ]
    rest: list[dict[str, Any]] = [{"timeout": 0}, {"max_in_flight": 0}, {"max_rate": -1}, {"user_agent": "\n"}]
    rest += [{"transport": 5}, {"retry": 5}]
    calls += [(M3terClient, {"org_id": "o", "api_key": good, "api_secret": other, **one}) for one in rest]
    calls += [(SmartPMClient, {"company_id": "c", "api_key": good, **one}) for one in rest]
    calls += [(M3terClient, {"org_id": "o", "api_key": good, "api_secret": other, "token_store": 5})]
    calls += [(M3terClient, {"org_id": "o", "api_key": good.encode(), "api_secret": other})]

    for make, options in calls:
        prefix = make.__name__.removesuffix("Client").upper()
        given = dict(options)
        if how == "variable":
            for name in ("org_id", "api_key", "api_secret", "company_id", "base_url"):
                if isinstance(options.get(name), str) and "\0" not in options[name]:
                    monkeypatch.setenv(f"{prefix}_{name.upper()}", given.pop(name))
        with pytest.raises(ConfigurationError) as caught:
            make(**given)
        assert told(without_ours(caught.value), good, other, refused.strip("\n \0é")) == []
        monkeypatch.undo()


@pytest.mark.parametrize("size", [20, 4000, 16_385])
def test_f87_tokens(size: int) -> None:
    """A `Token` that cannot be made shows nothing of what it was to be made of."""
    secret = secret_of("token", size)

    calls: list[Callable[[], Token]] = [
        lambda: Token(f"{secret} ", 60.0),
        lambda: Token(access_token=f"{secret}\n", expires_in=60.0),
        lambda: Token(f"é{secret}", expires_in=60.0),
        lambda: Token(secret, "60"),  # type: ignore[arg-type]
        lambda: Token(secret.encode(), 60.0),  # type: ignore[arg-type]
        lambda: Token(secret * (16_385 // size + 1), 60.0),
    ]

    for call in calls:
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert told(without_ours(caught.value), secret) == []


@sizes
@pytest.mark.parametrize(
    "make",
    [
        partial(M3terClient, org_id="o", api_key="k", api_secret="s"),
        partial(SmartPMClient, api_key="k", company_id="c"),
        aiohttp_transport,
    ],
    ids=["m3ter", "smartpm", "aiohttp"],
)
def test_f87_proxies(monkeypatch: pytest.MonkeyPatch, size: int, make: Callable[[], object]) -> None:
    """The password of a proxy that cannot be used is in no local variable."""
    password = secret_of("proxy", size)
    for address in (f"http://u:{password}@[::1", f"gopher://u:{password}@h:1", f"http://u:{password}@h:99999"):
        monkeypatch.setenv("HTTPS_PROXY", address)
        with pytest.raises(ConfigurationError, match="proxy") as caught:
            make()
        assert told(without_ours(caught.value), password) == []


class Broken:
    """A token store that holds nothing, and fails at whatever it is told to fail at."""

    def __init__(self, fails_at: str, error: BaseException) -> None:
        self._fails_at = fails_at
        self._error = error

    def _may_fail(self, deed: str) -> None:
        if deed == self._fails_at:
            raise self._error

    async def load(self) -> None:
        self._may_fail("load")

    async def save(self, token: Token) -> None:
        self._may_fail("save")

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        self._may_fail("lock")
        yield
        self._may_fail("unlock")


@sizes
@pytest.mark.parametrize("deed", ["load", "save", "lock", "unlock"])
@pytest.mark.parametrize("kind", [LookupError, asyncio.CancelledError])
async def test_f87_stores(
    m3ter: MakeM3ter, server: FaultServer, size: int, deed: str, kind: type[BaseException]
) -> None:
    """Whatever a token store does, what comes of it shows no token."""
    token = secret_of("token", size)
    serve(server, answer(status=404), tokens=token_answer(token))
    client = m3ter(server, token_store=Broken(deed, kind()), retry=ONCE)

    error = await error_of(listed(client))

    assert told(without_ours(error), token) == []


@sizes
async def test_f87_store_in_redis(size: int) -> None:
    """What lies in Redis and is no token is shown by no local variable, and neither is a token that cannot be saved."""
    token = secret_of("token", size)
    server = fakeredis.FakeServer()
    async with fakeredis.FakeAsyncRedis(server=server) as redis:
        store = RedisTokenStore(redis, key="k")

        await redis.set("k", f"{token} é", px=60_000)
        with pytest.raises(ConfigurationError) as refused:
            await store.load()
        server.connected = False
        with pytest.raises(redis_errors.ConnectionError) as failed:
            await store.save(Token(token, 60.0))

    assert told(without_ours(refused.value), token) == []
    assert shown(without_ours(failed.value), [token]) == []


async def test_f93_token_of_a_store_that_is_too_long(
    m3ter: MakeM3ter, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the token of a store is too long, and the call goes on without it."""
    serve(server)
    async with fakeredis.FakeAsyncRedis() as redis:
        await redis.set("k", "x" * 16_385, px=60_000)

        assert await listed(m3ter(server, token_store=RedisTokenStore(redis, key="k"))) == ["group-1"]

    assert "failed to load (access_token must be visible ASCII text: it is too long" in caplog.text


# 75 to 82: what is refused, or sent as it is

IDS = {
    "a way up": "../x",
    "a way up, encoded": "..%2Fx",
    "a backslash": "a\\b",
    "a query": "a?x=1",
    "a fragment": "a#f",
    "a percent sign": "100%",
    "a semicolon": "a;b",
    "another URL": "http://elsewhere.invalid/",
    "CR LF": "a\r\nX-Other: b",
    "NUL": "a\0b",
    "an accent": "e\u0301",
    "an emoji": "😀",
    "a space within": "a b",
    "a plus": "a+b",
    "10 KiB": "x" * 10 * 1024,
}


@cases("identifier", IDS)
async def test_f75_id_is_one_segment(m3ter: MakeM3ter, server: FaultServer, identifier: str) -> None:
    """Whatever an id holds, it is exactly one segment of the path, and decodes to that id."""
    serve(server)

    assert await listed(m3ter(server), identifier, org_id=identifier) == ["group-1"]

    (request,) = server.asked(LIST)
    root, organizations, org_id, users, user_id, user_groups = request.target.split(b"/")
    assert (root, organizations, users, user_groups) == (b"", b"organizations", b"users", b"usergroups")
    assert unquote_to_bytes(org_id) == unquote_to_bytes(user_id) == identifier.encode()
    assert not set(org_id + user_id) & set(b"?#;\\ +")


Wrong = Callable[[MakeM3ter, MakeSmartPM], object]
PLAIN = ["10.0.0.1", "128.0.0.1", "0x7f.0.0.1", "[fe80::1]", "127.0.0.1@example.com", "localhost.example.com"]
WRONG: dict[str, tuple[str, Wrong]] = {
    "75, two dots": ("user_id", lambda m3ter, smartpm: m3ter().list_user_groups("..")),
    "75, no UUID": ("user_group_id", lambda m3ter, smartpm: smartpm().get_user_group(f"{GROUP_ID}/..")),
    "77, a line end": ("api_key", lambda m3ter, smartpm: smartpm(api_key=f"{canary.WORD}\n")),
    "77, no ASCII": ("api_secret", lambda m3ter, smartpm: m3ter(api_secret=f"{canary.WORD}é")),
    "77, a colon": ("api_key", lambda m3ter, smartpm: m3ter(api_key=f"{canary.WORD}:x")),
    "77, two lines": ("user_agent", lambda m3ter, smartpm: m3ter(user_agent="a\r\nX-Other: 1")),
    **{
        f"78, {host}": ("base_url", lambda m3ter, smartpm, host=host: m3ter(base_url=f"http://{host}"))
        for host in PLAIN
    },
    "80, missing": (r"org_id \(the argument, or M3TER_ORG_ID", lambda m3ter, smartpm: m3ter(org_id=None)),
    "80, blank": (r"company_id \(the argument, or SMARTPM_COM", lambda m3ter, smartpm: smartpm(company_id=" ")),
    "81, no scheme": ("base_url", lambda m3ter, smartpm: m3ter(base_url="api.m3ter.com")),
    "81, a password": ("base_url", lambda m3ter, smartpm: smartpm(base_url=f"https://u:{canary.WORD}@api.m3ter.com")),
    "81, an empty user": ("base_url", lambda m3ter, smartpm: smartpm(base_url="https://@api.m3ter.com")),
    "82, NaN": ("timeout", lambda m3ter, smartpm: smartpm(timeout=math.nan)),
    "82, of a call": ("timeout", lambda m3ter, smartpm: smartpm().get_user_group(GROUP_ID, timeout=0)),
    "82, none at all": ("max_in_flight", lambda m3ter, smartpm: m3ter(max_in_flight=0)),
    "82, no attempt": ("attempts", lambda m3ter, smartpm: RetryPolicy(attempts=0)),
    "82, 201": ("page_size", lambda m3ter, smartpm: m3ter().list_user_groups("u", page_size=201)),
    "82, empty": ("next_token", lambda m3ter, smartpm: m3ter().list_user_groups("u", next_token="")),
    "82, below 0": ("limit", lambda m3ter, smartpm: m3ter().list_user_groups("u").collect(limit=-1)),
    "82, no call": ("concurrency", lambda m3ter, smartpm: sweep(smartpm().get_user_group, [GROUP_ID], concurrency=0)),
}


@cases("name wrong", WRONG)
async def test_f75_f77_f78_f80_f81_f82_what_is_wrong_is_refused(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, watch: Watch, name: str, wrong: Wrong
) -> None:
    """What cannot be right is refused by its name, without its value, before any request: the units show all of it."""
    with watch.raises(ConfigurationError, match=f"^{name} ?") as caught:
        made = wrong(partial(m3ter, base_url=server.url), partial(smartpm, base_url=server.url))
        if isawaitable(made):
            await made

    assert told(without_ours(caught.value), canary.WORD) == []
    assert server.received.value == server.open.most == 0


@pytest.mark.parametrize("variable", [False, True], ids=["argument", "environment"])
@pytest.mark.parametrize(
    ("host", "rest"),
    [("127.0.0.1", ""), ("localhost", "/"), ("LOCALHOST", "//"), ("127.0.0.1", "/a/b%20c/"), ("127.0.0.1", "/v1;x=1")],
)
async def test_f78_f81_base_url_is_joined_rightly(
    smartpm: MakeSmartPM, server: FaultServer, monkeypatch: pytest.MonkeyPatch, host: str, rest: str, variable: bool
) -> None:
    """Plain http is good enough for this machine; a path is kept, and slashes at its end do not double."""
    server.always("*", GOOD_GROUP)
    url = f"http://{host}:{server.port}{rest}"
    if variable:
        monkeypatch.setenv("SMARTPM_BASE_URL", url)

    await smartpm(base_url=None if variable else url).get_user_group(GROUP_ID)

    (request,) = server.requests
    assert request.target == f"{rest.rstrip('/')}/public/v1/user-groups/{GROUP_ID}".encode()
    assert request.header("Host") == f"{host.lower()}:{server.port}"


async def test_f81_ipv6_loopback_is_reached(smartpm: MakeSmartPM, make_server: MakeServer) -> None:
    """A server on ::1 is reached by its address in brackets."""
    server = make_server(host="::1")
    server.always("*", GOOD_GROUP)

    await smartpm(server).get_user_group(GROUP_ID)

    assert [request.header("Host") for request in server.requests] == [f"[::1]:{server.port}"]


# 91: pages of something in front of the provider


def page(title: str) -> bytes:
    """Return a page as a gateway shows it."""
    return f"<!DOCTYPE html>\n<html>\n<head><TITLE >{title}</TITLE>\n</head><body><h1>x</h1></body></html>".encode()


PAGES: dict[str, tuple[bytes, str | None]] = {
    "nginx": (page("400 No SSL certificate was sent"), "400 No SSL certificate was sent"),
    "CloudFront": (page("ERROR: It could\n not be satisfied"), "ERROR: It could not be satisfied"),
    "Cloudflare": (page("a.b | 522: timed &amp;&#32;out"), "a.b | 522: timed & out"),
    "after a byte order mark": (b"\xef\xbb\xbf \n" + page("after a mark"), "after a mark"),
    "attributes": (b"<html><svg><title data-x='1'>of a picture</title></svg></html>", "of a picture"),
    "no title": (b"<html><body>no title</body></html>", None),
    "a blank title": (page(" \n "), None),
    "a title without end": (b"<html><title>never ends", None),
    "half a title": (b"<html><title", None),
    "XML": (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", None),
    "a number that Python does not read": (page("&#" + "0" * 5000 + ";"), "&#" + "0" * 997 + "…"),
    "a long title": (page("x" * 5000), "x" * 999 + "…"),
}


@pytest.mark.parametrize("place", ["m3ter", "smartpm", "token endpoint"])
@cases(
    "status body title",
    {
        **{name: (502, *one) for name, one in PAGES.items()},
        **{str(status): (status, page("of a proxy"), "of a proxy") for status in (400, 401, 403, 404, 422, 429, 500)},
    },
)
async def test_f91_page_tells_its_title(
    m3ter: MakeM3ter,
    smartpm: MakeSmartPM,
    server: FaultServer,
    watch: Watch,
    place: str,
    status: int,
    body: bytes,
    title: str | None,
) -> None:
    """An error in HTML says what the page says, and that it came from something in front of the provider."""
    server.always(TOKEN, answer(body, status) if place == "token endpoint" else token_answer())
    server.always("*", answer(body, status))
    client = m3ter(server, retry=ONCE)
    call = smartpm(server, retry=ONCE).get_user_group(GROUP_ID) if place == "smartpm" else None

    with watch.raises(APIStatusError) as caught:
        await (call or listed(client))

    error = caught.value
    assert error.message == (title or httpx.codes.get_reason_phrase(status))
    assert "in front of the provider" in error.hint
    assert "proxy, gateway or firewall" in str(error)
    assert "check" not in str(error)


@cases(
    "status script message hint",
    {
        "too large": (413, page("Too Large"), "Too Large", "with a smaller page_size"),
        "elsewhere": (302, page("Moved"), "Moved", "redirects are not followed: check base_url"),
        "JSON": (403, b'{"message": "<no>"}', "<no>", "check org_id"),
    },
)
async def test_f91_hint_of_the_status_stands(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, status: int, script: bytes, message: str, hint: str
) -> None:
    """A page that is too large or sends elsewhere has its way out; JSON is the provider's word, whatever its type."""
    serve(server, answer(script, status, content_type="text/html"))

    with watch.raises(APIStatusError) as caught:
        await listed(m3ter(server, retry=ONCE))

    assert isinstance(caught.value, BadRequestError) is (status == 413)
    assert caught.value.message == message
    assert hint in caught.value.hint
