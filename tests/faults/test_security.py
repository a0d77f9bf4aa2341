"""Rows 87, 88, 91 and 93 of the fault table: secrets in frames and in answers, pages, tokens that are too long."""

import asyncio
import html
import json
import logging
import random
import string
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

import fakeredis
import httpx
import pytest
import rich.traceback
from redis import exceptions as redis_errors

from rig.fixtures import MakeM3ter, MakeSmartPM
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
    TokenStore,
    UserGroupsError,
)
from usergroups.stores import RedisTokenStore
from usergroups.transports import aiohttp_transport

pytest_plugins = ("faults.kinds",)  # clients on either transport

TOKEN = "/oauth/token"
LIST = "/organizations/*"
GROUP = "550e8400-e29b-41d4-a716-446655440000"
GOOD_PAGE = json_answer({"data": [{"id": "a"}]})
GOOD_GROUP = json_answer({"id": GROUP, "name": "Operators", "users": []})
SIZES = [20, 127, 4000]
ONCE = RetryPolicy(attempts=1)


def secret_of(name: str, size: int) -> str:
    """Make up a secret of *size* characters, each time the same."""
    return "".join(random.Random(f"{name} {size}").choices(string.ascii_letters + string.digits, k=size))


def by_rich(error: BaseException) -> str:
    """Return what rich shows of *error* and of the local variables on its way."""
    trace = rich.traceback.Traceback.extract(
        type(error), error, error.__traceback__, show_locals=True, locals_hide_dunder=False
    )
    frames = [frame for stack in trace.stacks for frame in stack.frames]
    shown = [f"{name} = {node.render()}" for frame in frames for name, node in (frame.locals or {}).items()]
    return "\n".join([*(stack.exc_value for stack in trace.stacks), *shown])


def told(error: BaseException, *secrets: str) -> list[str]:
    """Return the places at which *error* and the frames of the SDK tell one of *secrets*, or a piece of it."""
    found = shown(error, secrets)
    return found + [f"rich: {secret[:12]}" for secret in secrets if secret[:12] in by_rich(error)]


def without_ours(error: BaseException) -> BaseException:
    """Take the frames of the tests out of the traceback of *error*: what they hold is theirs."""
    traceback = error.__traceback__
    while traceback is not None and not traceback.tb_frame.f_code.co_filename.startswith(OURS):
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


async def error_of(call: Awaitable[object]) -> UserGroupsError:
    """Return the error that *call* ends with."""
    with pytest.raises(UserGroupsError) as caught:
        await call
    return caught.value


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


BAD = {
    "a line end": "{}\n",
    "not ASCII": "{}é",
    "a space": " {}",
    "NUL": "\0{}",
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
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


@pytest.mark.parametrize("size", [*SIZES, 16_385])
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


def echo(status: int, *then: Any, length: int | None = None) -> Callable[[Request, int], Script]:
    """Answer *status* with all the secrets that the request held."""

    def script(request: Request, n: int) -> Script:
        said = request.header("Authorization") or request.header("X-API-KEY") or ""
        headers = {"X-Request-Id": said[:4000], f"X-{said.split()[-1].strip('=')[:4000]}": "1"}
        return answer(json.dumps({"message": said, "data": said}).encode(), status, headers, length=length), *then

    return script


ENDS = {
    **{str(status): echo(status) for status in (200, 301, 400, 401, 403, 404, 413, 418, 422, 429, 500, 503, 599)},
    "cut": echo(200, close, length=100_000),
    "silence": (silence,),
    "no answer": (close,),
    "reset": (reset,),
}


@pytest.fixture
def calm(caplog: pytest.LogCaptureFixture) -> None:
    """Keep the logs of the libraries below to warnings: at DEBUG they tell each header."""
    for name in ("httpcore", "asyncio", "aiohttp"):
        caplog.set_level(logging.WARNING, logger=name)


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
async def test_f87_f88_calls(
    m3ter: MakeM3ter, smartpm: MakeSmartPM, server: FaultServer, size: int, end: Script
) -> None:
    """However a call ends, and though the server repeats what it was sent, no local variable shows a secret."""
    user, password, token, key = (secret_of(name, size) for name in ("user", "password", "token", "key"))
    server.always(TOKEN, token_answer(token))
    server.always("*", end)
    one = m3ter(server, api_key=user, api_secret=password, timeout=0.3, retry=ONCE)
    other = smartpm(server, api_key=key, timeout=0.3, retry=ONCE)

    errors = [await error_of(one.list_user_groups("u").collect()), await error_of(other.get_user_group(GROUP))]

    assert [told(without_ours(error), user, password, token, key) for error in errors] == [[], []]


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", [*ENDS.values(), "life", "spaces", "type", "cut JSON", "long"], ids=[*ENDS, *"abcde"])
async def test_f87_f88_token_endpoint(m3ter: MakeM3ter, server: FaultServer, size: int, end: Any) -> None:
    """However the token endpoint fails, no local variable shows the credentials or the token."""
    user, password, token = (secret_of(name, size) for name in ("user", "password", "token"))
    scripts = {
        "life": token_answer(token, 0),
        "spaces": token_answer(f"{token} {token}"),
        "type": token_answer(token, token_type="mac"),
        "cut JSON": answer(b'{"access_token": "' + token.encode()),
        "long": token_answer(token * (16_385 // size + 1)),
    }
    server.always(TOKEN, scripts[end] if isinstance(end, str) else end)
    client = m3ter(server, api_key=user, api_secret=password, timeout=0.3, retry=ONCE)

    errors = [await error_of(client.list_user_groups("u").collect()), await error_of(client.authenticate())]

    assert [told(without_ours(error), user, password, token) for error in errors] == [[], []]


@pytest.mark.usefixtures("calm")
async def test_f87_listing_that_repeats(m3ter: MakeM3ter, server: FaultServer) -> None:
    """A listing that goes round shows no secret, though its pages repeat it in headers."""
    token = secret_of("token", 127)
    server.always(TOKEN, token_answer(token))
    server.always(LIST, json_answer({"data": [], "nextToken": "t", "said": token}, headers={"X-Echo": token}))

    error = await error_of(m3ter(server).list_user_groups("u").collect())

    assert isinstance(error, PaginationError)
    assert told(without_ours(error), token) == []


@pytest.mark.parametrize("size", SIZES)
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
    """A token store that gives the one token, and fails at whatever it is told to fail at."""

    def __init__(self, token: Token | None, fails_at: str, error: BaseException) -> None:
        self._token = token
        self._fails_at = fails_at
        self._error = error

    def _may_fail(self, deed: str) -> None:
        if deed == self._fails_at:
            raise self._error

    async def load(self) -> Token | None:
        """Return the token."""
        self._may_fail("load")
        return self._token

    async def save(self, token: Token) -> None:
        """Throw *token* away."""
        self._may_fail("save")

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """Let anyone in."""
        self._may_fail("lock")
        yield
        self._may_fail("unlock")


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("deed", ["load", "save", "lock", "unlock"])
@pytest.mark.parametrize("kind", [LookupError, asyncio.CancelledError])
async def test_f87_stores(
    m3ter: MakeM3ter, server: FaultServer, size: int, deed: str, kind: type[BaseException]
) -> None:
    """Whatever a token store does, what comes of it shows no token."""
    token = secret_of("token", size)
    server.always(TOKEN, token_answer(token))
    server.always(LIST, answer(status=404))
    client = m3ter(server, token_store=Broken(None, deed, kind()), retry=ONCE)

    error = await error_of(client.list_user_groups("u").collect())

    assert told(without_ours(error), token) == []


@pytest.mark.parametrize("size", SIZES)
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


@pytest.mark.usefixtures("calm")
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
        error = await error_of(client.get_user_group(GROUP))
        assert isinstance(error, APIStatusError)
        texts = [str(error), error.message, error.body, error.request_id or "", *error.headers.values()]
        assert [text for text in texts if secret[:8].lower() in text.lower() or said[:24] in text] == []
        assert error.request_id == "r ***"
        assert error.headers["x-echo"] == f"a ***{sign}"


@pytest.mark.usefixtures("calm")
async def test_f88_any_secret_of_the_client(m3ter: MakeM3ter, server: FaultServer) -> None:
    """The API secret, the Basic value, and the tokens before and after a replacement are all hidden, in all answers."""
    tokens = [secret_of(f"token {number}", 40) for number in range(4)]
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
        await client.list_user_groups("u").collect()
        only(server, LIST, refusal)
        server.always(TOKEN, give)
        error = await error_of(client.list_user_groups("u").collect())
        fetched = server.count(TOKEN)
        known = [user, password, basic, *tokens[:fetched]]
        everything_told = f"{error} {vars(error)}".lower()
        found += [one for one in known if one[:12].lower() in everything_told]

    assert fetched >= 2
    assert isinstance(error, AuthenticationError)
    assert found == []


@pytest.mark.usefixtures("calm")
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

        error = await error_of(client.list_user_groups("u").collect())

        assert "content coding" in str(error)
        assert secret[:8].lower() not in f"{error} {vars(error)}".lower()


@pytest.mark.usefixtures("calm")
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
            error = await error_of(client.get_user_group(GROUP))
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


@pytest.mark.usefixtures("calm")
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
        error = await error_of(client.list_user_groups("u").collect())
        looking.append(time.thread_time() - used)
    used = time.thread_time()
    for _ in range(200_000):  # 6 ms where it was written, and more wherever the rest takes more, too
        len(body)
    reference = time.thread_time() - used

    assert min(looking) < 5 * reference, f"{min(looking):.4f} s, and {reference:.4f} s for the reference"
    assert "-" * 8 not in f"{error} {vars(error)}"


def page(title: str) -> bytes:
    """Return a page as a gateway shows it."""
    return f"<!DOCTYPE html>\n<html>\n<head><TITLE >{title}</TITLE>\n</head><body><h1>x</h1></body></html>".encode()


STATUSES = (400, 401, 403, 404, 422, 429, 500, 522)
PAGES: list[Any] = [
    pytest.param(page("400 No SSL certificate was sent"), "400 No SSL certificate was sent", id="nginx"),
    pytest.param(page("ERROR: It could\n not be satisfied"), "ERROR: It could not be satisfied", id="CloudFront"),
    pytest.param(page("a.b | 522: timed &amp;&#32;out"), "a.b | 522: timed & out", id="Cloudflare"),
    pytest.param(b"\xef\xbb\xbf \n" + page("after a mark"), "after a mark", id="after a byte order mark"),
    pytest.param(b"<html><svg><title data-x='1'>of a picture</title></svg></html>", "of a picture", id="attributes"),
    pytest.param(b"<html><body>no title</body></html>", None, id="no title"),
    pytest.param(page(" \n "), None, id="a blank title"),
    pytest.param(b"<html><title>never ends", None, id="a title without end"),
    pytest.param(b"<html><title", None, id="half a title"),
    pytest.param(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", None, id="XML"),
    pytest.param(page("&#" + "0" * 5000 + ";"), "&#" + "0" * 997 + "…", id="a number that Python does not read"),
    pytest.param(page("x" * 5000), "x" * 999 + "…", id="a long title"),
]


@pytest.mark.parametrize("place", ["m3ter", "smartpm", "token endpoint"])
@pytest.mark.parametrize(
    ("status", "body", "title"),
    [
        *(pytest.param(502, *one.values, id=one.id) for one in PAGES),
        *(pytest.param(status, page("of a proxy"), "of a proxy", id=str(status)) for status in STATUSES),
    ],
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
    call = smartpm(server, retry=ONCE).get_user_group(GROUP) if place == "smartpm" else None

    with watch.raises(APIStatusError) as caught:
        await (call or client.list_user_groups("u").collect())

    error = caught.value
    assert error.message == (title or APIStatusError(status_code=status).message or reason(status))
    assert "in front of the provider" in error.hint
    assert "proxy, gateway or firewall" in str(error)
    assert "check" not in str(error)


def reason(status: int) -> str:
    """Return the name that a status goes by."""
    return httpx.codes.get_reason_phrase(status) or f"status {status}"


@pytest.mark.parametrize(
    ("status", "hint"), [(413, "with a smaller page_size"), (302, "redirects are not followed: check base_url")]
)
async def test_f91_page_of_a_status_with_a_way_out(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch, status: int, hint: str
) -> None:
    """A page that is too large a question, or sends elsewhere, still has the hint of its status."""
    server.always(TOKEN, token_answer())
    server.always(LIST, answer(page("413 Request Entity Too Large"), status))

    with watch.raises(APIStatusError) as caught:
        await m3ter(server, retry=ONCE).list_user_groups("u").collect()

    assert isinstance(caught.value, BadRequestError) is (status == 413)
    assert caught.value.message == "413 Request Entity Too Large"
    assert str(caught.value).endswith(hint)


async def test_f91_json_is_the_providers_whatever_its_content_type(
    m3ter: MakeM3ter, server: FaultServer, watch: Watch
) -> None:
    """JSON that is called HTML is the provider's word, and the usual hint stands."""
    server.always(TOKEN, token_answer())
    server.always(LIST, answer(b'{"message": "<no>"}', 403, content_type="text/html"))

    with watch.raises(APIStatusError) as caught:
        await m3ter(server, retry=ONCE).list_user_groups("u").collect()

    assert (caught.value.message, caught.value.hint[:12]) == ("<no>", "check org_id")


@pytest.mark.usefixtures("calm")
async def test_f93_token_that_is_too_long(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """A token of more than 16 KiB is refused, and the error says that it is too long."""
    server.always(TOKEN, token_answer("x" * 16_385))

    with watch.raises(AuthenticationError, match="too long") as caught:
        await m3ter(server).list_user_groups("u").collect()

    assert caught.value.body == ""
    with watch.raises(ConfigurationError, match="too long"):
        Token("x" * 16_385, 60.0)
    only(server, TOKEN, token_answer("x" * 16_384))
    server.always(LIST, GOOD_PAGE)
    assert len(await m3ter(server).list_user_groups("u").collect()) == 1


@pytest.mark.usefixtures("calm")
async def test_f93_token_of_a_store_that_is_too_long(
    m3ter: MakeM3ter, server: FaultServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says that the token of a store is too long, and the call goes on without it."""
    server.always(TOKEN, token_answer())
    server.always(LIST, GOOD_PAGE)
    async with fakeredis.FakeAsyncRedis() as redis:
        await redis.set("k", "x" * 16_385, px=60_000)
        store: TokenStore = RedisTokenStore(redis, key="k")

        with pytest.raises(ConfigurationError, match="too long"):
            await store.load()
        found = await m3ter(server, token_store=store).list_user_groups("u").collect()

    assert len(found) == 1
    assert "failed to load (access_token must be visible ASCII text: it is too long" in caplog.text
