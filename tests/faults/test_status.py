"""What an answer's status and headers mean, and the body of one that says no."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest

from faults.calls import (
    DAMAGED,
    GOOD_PAGE,
    GROUP_ID,
    LIST,
    MIB,
    PAGE,
    TOKEN,
    WORDS,
    Provider,
    listed,
    presented,
    serve,
    token,
)
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer
from rig.leaks import Watch
from rig.script import Script, answer, gzip_answer, json_answer, token_answer
from rig.sentence import sentence
from rig.server import FaultServer
from usergroups import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RetryPolicy,
    ServerError,
    UnexpectedResponseError,
)

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)  # by the server's clock
SOON = NOW + timedelta(seconds=30)
USUAL = 0.25  # seconds: half of the first back-off, where the dice show 0.5
PATIENT = RetryPolicy(attempts=6, backoff_initial=0.5, backoff_max=3)

# Where a chunk's size is wrong in the segment that brings the head, aiohttp reads neither.
damages = pytest.mark.parametrize("damage", [*(one for one in DAMAGED if one != "bad chunk size"), "unknown coding"])


def imf_fixdate(moment: datetime) -> str:
    """Write *moment* as HTTP does today (RFC 9110, 5.6.7)."""
    return format_datetime(moment, usegmt=True)


def rfc_850_date(moment: datetime) -> str:
    """Write *moment* as some still did in 1999."""
    return moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime_date(moment: datetime) -> str:
    """Write *moment* as C does."""
    return moment.strftime("%a %b %e %H:%M:%S %Y")


def damaged(damage: str, status: int, *more: tuple[str, str]) -> Script:
    """Return an answer that says no, with *more* headers, and a body that is damaged in this way."""
    if damage == "unknown coding":
        return answer(WORDS, status, [*more, ("Content-Encoding", "zstd")])
    return DAMAGED[damage](status, list(more))


# 36 to 38: Retry-After


@pytest.mark.parametrize(("status", "roll"), [(429, 0.0), (429, 0.999), (503, 0.5)])
async def test_f36_retry_after_is_waited_for(
    server: FaultServer, provider: Provider, clock: FakeClock, status: int, roll: float
) -> None:
    """`Retry-After: 2` is a wait of 2 seconds, and up to half a second more; then the call is repeated."""
    server.once(provider.path, answer(b"", status, {"Retry-After": "2"}))
    server.always(provider.path, provider.good)
    ask = provider.of(server, retry=RetryPolicy(), clock=clock, roll=roll)

    assert await ask() == GROUP_ID

    (wait,) = clock.slept
    assert 2 <= wait <= 2.5
    assert server.count(provider.path) == 2


async def test_f36_wait_is_one_of_real_seconds(server: FaultServer, provider: Provider) -> None:
    """The second that the server asks for really passes before the next request."""
    server.once(provider.path, answer(b"", 429, {"Retry-After": "1"}))
    server.always(provider.path, provider.good)

    assert await provider.of(server)() == GROUP_ID

    first, second = server.asked(provider.path)
    assert second.at - first.at >= 1


@pytest.mark.parametrize(("seconds", "timeout"), [(7200, None), (20, 15)])
async def test_f36_long_retry_after_is_raised_at_once(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, seconds: int, timeout: float | None
) -> None:
    """A wait that is long, or would end after `timeout`, is not begun: the caller hears of it at once."""
    server.always(provider.path, answer(b"", 429, {"Retry-After": str(seconds)}))
    ask = provider.of(server, timeout=timeout, retry=RetryPolicy(), clock=clock)

    with watch.raises(RateLimitedError) as caught:
        await ask()

    assert caught.value.retry_after == seconds
    assert clock.slept == []
    assert server.count(provider.path) == 1


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        (["0"], USUAL),
        (["-5"], USUAL),
        (["5.5"], USUAL),
        (["\uff11\uff12"], USUAL),
        (["\xb2"], USUAL),
        ([""], USUAL),
        (["1" * 20], None),
        (["1", "2"], USUAL),
        (["\t007 "], 7.25),
        ([imf_fixdate(SOON)], 30.25),
        ([rfc_850_date(SOON)], 30.25),
        ([asctime_date(SOON)], 30.25),
        ([imf_fixdate(SOON).removesuffix(" GMT")], 30.25),
        (["Thu, 01 Jan 1970 00:00:00 GMT"], USUAL),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], None),
        ([imf_fixdate(SOON), imf_fixdate(NOW)], USUAL),
    ],
    ids=lambda value: " & ".join(value) or "empty" if isinstance(value, list) else "",
)
async def test_f37_f38_retry_after_is_digits_or_a_date(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, values: Sequence[str], wait: float | None
) -> None:
    """What is no digits or date, by the server's clock, is as if absent, as is the past; a long wait is an error."""
    headers = [("Date", imf_fixdate(NOW)), *(("Retry-After", value) for value in values)]
    server.once(provider.path, answer(b"", 429, headers))
    server.always(provider.path, provider.good)
    ask = provider.of(server, retry=RetryPolicy(), clock=clock, roll=0.5)

    if wait is None:
        with watch.raises(RateLimitedError) as caught:
            await ask()
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 1e9
        assert clock.slept == []
    else:
        assert await ask() == GROUP_ID
        assert clock.slept == [wait]


# 39: which statuses are tried again


@pytest.mark.parametrize(
    ("status", "roll"),
    [(500, 0.999), (502, 0.5), (503, 0.0), (503, 0.5), (503, 0.999), (504, 0.5), (408, 0.5), (425, 0.999)],
)
async def test_f39_passing_failure_is_tried_again(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, status: int, roll: float
) -> None:
    """A failure that may pass is tried as often as the policy says, with full jitter between."""
    server.always(provider.path, answer(b"", status))
    ask = provider.of(server, retry=PATIENT, clock=clock, roll=roll)

    with watch.raises(ServerError if status >= 500 else APIStatusError) as caught:
        await ask()

    assert caught.value.status_code == status
    assert clock.slept == pytest.approx([0.5 * roll, 1 * roll, 2 * roll, 3 * roll, 3 * roll])
    assert server.count(provider.path) == 6


@pytest.mark.parametrize("max_rate", [50.0, None])
async def test_f39_rate_limit_that_names_no_time(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, max_rate: float | None
) -> None:
    """A 429 is tried again as other failures; to m3ter without `max_rate`, not before the second is over."""
    server.always(provider.path, answer(b"", 429))
    ask = provider.of(server, retry=PATIENT, clock=clock, roll=0.5, max_rate=max_rate)

    with watch.raises(RateLimitedError) as caught:
        await ask()

    held = 1.0 if provider.name == "m3ter" and max_rate is None else 0.0
    assert caught.value.retry_after is None
    assert clock.slept == pytest.approx([0.25, max(0.5, held), 1.0, 1.5, 1.5])
    assert server.count(provider.path) == 6


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 451, 501, 505, 507, 511])
async def test_f39_other_failure_is_final(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, status: int
) -> None:
    """A failure that will not pass is an error at the first attempt, even with `Retry-After`."""
    server.always(provider.path, answer(b"", status, {"Retry-After": "1"}))
    ask = provider.of(server, clock=clock)

    with watch.raises(APIStatusError) as caught:
        await ask()

    assert (caught.value.status_code, caught.value.retry_after) == (status, 1)
    assert clock.slept == []
    assert server.count(provider.path) == 1


# 41, 42 and 44: redirects, odd statuses, cookies


@pytest.mark.parametrize(
    ("status", "where"),
    [(status, "elsewhere") for status in (300, 301, 302, 303, 304, 305, 306, 307, 308, 399)]
    + [(302, "here"), (307, "here"), (302, "nowhere")],
)
async def test_f41_redirect_is_not_followed(
    server: FaultServer, make_server: MakeServer, provider: Provider, watch: Watch, status: int, where: str
) -> None:
    """A redirect is an error: nobody is asked again, and the other host sees nothing at all."""
    other = make_server()
    location = {"elsewhere": f"{other.url}{provider.path}", "here": f"{server.url}/other", "nowhere": ""}[where]
    server.always(provider.path, answer(b"", status, {"Location": location} if location else {}))

    with watch.raises(APIStatusError) as caught:
        await provider.of(server)()

    assert type(caught.value) is APIStatusError
    assert caught.value.status_code == status
    assert caught.value.headers.get("location", "") == location
    assert server.count(provider.path) == 1
    assert server.count("/other") == 0
    assert other.connections == []


@pytest.mark.parametrize("status", [201, 202, 203, 204, 205, 206, 226, 299])
@pytest.mark.parametrize("body", ["good", "", "[]"], ids=lambda body: body or "empty")
async def test_f42_f49_other_success_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, status: int, body: str
) -> None:
    """No 2xx but 200 is an answer, whatever its body looks like: it may hold a part of a list, or none."""
    sent = "" if status in (204, 205) else json.dumps(provider.document) if body == "good" else body
    server.always(provider.path, answer(sent.encode(), status))

    with watch.raises(UnexpectedResponseError, match=f" answered (status )?{status} ?.*, but not as spec") as caught:
        await provider.of(server)()

    assert (caught.value.status_code, caught.value.json_path) == (status, "$")
    assert caught.value.message == f"its status is {status}, not 200"
    assert caught.value.body == sent
    assert server.count(provider.path) == 1


@pytest.mark.parametrize("status", [201, 299])
async def test_f42_token_is_taken_from_any_success(m3ter: MakeM3ter, server: FaultServer, status: int) -> None:
    """A usable token is one, whatever 2xx it comes with."""
    serve(server, tokens=json_answer({"access_token": token(1)}, status))

    assert await listed(m3ter(server)) == ["group-1"]
    assert server.count(TOKEN) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(498, APIStatusError), (499, APIStatusError), (520, ServerError), (599, ServerError), (999, APIStatusError)],
)
async def test_f42_unknown_failure_is_of_its_class(
    server: FaultServer, provider: Provider, watch: Watch, status: int, kind: type[APIStatusError]
) -> None:
    """A status that no standard names is an error by its first digit."""
    server.always(provider.path, json_answer({"message": "as odd as it gets"}, status))

    with watch.raises(APIStatusError) as caught:
        await provider.of(server)()

    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.message) == (status, "as odd as it gets")
    assert str(caught.value).startswith(f"GET {provider.path} answered ")
    assert str(status) in str(caught.value)
    assert server.count(provider.path) == 1


async def test_f44_cookies_are_never_sent_back(server: FaultServer, provider: Provider) -> None:
    """What a server sets as a cookie, with the token too, is forgotten."""
    cookies = [("Set-Cookie", "session=1; Path=/"), ("Set-Cookie", "other=2"), ("Set-Cookie2", "old=3")]
    server.once(TOKEN, token_answer().replace(b"\r\n", b"\r\nSet-Cookie: session=0; Path=/\r\n", 1))
    server.always(provider.path, json_answer(provider.document, headers=cookies))
    ask = provider.of(server)

    assert [await ask() for _ in range(3)] == [GROUP_ID] * 3

    assert server.count(provider.path) == 3
    assert [one.header("cookie") for one in server.requests] == [None] * server.received.value


# 47 and 48: bodies of errors

HTML = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>" + b"<p>nginx</p>" * 1000
PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("status", "body", "content_type", "kind", "message"),
    [
        (502, HTML, "text/html", ServerError, "502 Bad Gateway"),
        (502, b"\n\n  " + HTML, "application/json", ServerError, "502 Bad Gateway"),
        (413, b"response too large", "text/plain", BadRequestError, "response too large"),
        (500, b"", "", ServerError, "Internal Server Error"),
        (400, b'{"message": "no such', "application/json", BadRequestError, '{"message": "no such'),
        (400, b'["no", "such"]', "application/json", BadRequestError, '["no", "such"]'),
        (400, b'{"message": 5}', "application/json", BadRequestError, "Bad Request"),
        (422, b'{"message": "a\\nb\\u0000\\u001b[31m \\ud800"}', "application/json", BadRequestError, "a b [31m"),
        (503, b'<?xml version="1.0"?><Error/>', "application/xml", ServerError, "Service Unavailable"),
        (404, b"\xff\xfe\x00 no \x1b[2J such", "text/plain", NotFoundError, "\ufffd\ufffd no [2J such"),
        (401, b'{"error": "invalid", "error_description": "too old"}', "", AuthenticationError, "too old"),
        (403, b'{"error": "forbidden"}', "", PermissionDeniedError, "forbidden"),
        (429, b"[" * 200_000, "application/json", RateLimitedError, None),
        (500, b"x" * 5 * MIB, "text/plain", ServerError, None),
        (400, b'{"message": "' + b"x" * MIB + b'"}', "application/json", BadRequestError, None),
        (400, b'{"n": ' + b"1" * 5000 + b"}", "application/json", BadRequestError, None),
        (500, b'{"status": 200, "title": "Broken", "detail": "It is stuck"}', PROBLEM, ServerError, "It is stuck"),
        (500, b'{"status": 200, "title": "Broken", "detail": null}', PROBLEM, ServerError, "Broken"),
        (500, b'{"status": 200, "code": 5}', PROBLEM, ServerError, "Internal Server Error"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
async def test_f47_f48_body_of_an_error_may_be_anything(
    server: FaultServer,
    provider: Provider,
    watch: Watch,
    status: int,
    body: bytes,
    content_type: str,
    kind: type[APIStatusError],
    message: str | None,
) -> None:
    """The error is that of the status, and its message the provider's words on one line, if there are any."""
    server.always(provider.path, answer(body, status, content_type=content_type))

    with watch.raises(kind) as caught:
        await provider.of(server, retry=RetryPolicy(attempts=1))()

    error = caught.value
    assert type(error) is kind
    assert error.status_code == status
    assert error.message.isprintable()
    assert str(error).isprintable()
    assert 0 < len(error.message) <= 1000
    assert len(error.body) <= 4096
    assert message is None or error.message == message


async def test_f47_compressed_error_is_read(server: FaultServer, provider: Provider, watch: Watch) -> None:
    """An error's body may be compressed as well."""
    server.always(provider.path, gzip_answer(b'{"message": "squeezed"}', 404))

    with watch.raises(NotFoundError) as caught:
        await provider.of(server)()

    assert (caught.value.message, caught.value.body) == ("squeezed", '{"message": "squeezed"}')


async def test_f47_too_large_says_the_way_out(m3ter: MakeM3ter, server: FaultServer, watch: Watch) -> None:
    """m3ter's 413 tells the caller to ask for smaller pages; the message stays the provider's."""
    serve(server, json_answer({"message": "response too large"}, 413))

    with watch.raises(BadRequestError) as caught:
        await listed(m3ter(server), "ada")

    assert caught.value.message == "response too large"
    assert sentence(caught.value) == (
        f"GET {PAGE} answered 413 {HTTPStatus(413).phrase}: response too large;"
        " ask for less at a time, with a smaller page_size"
    )
    assert server.count(PAGE) == 1


# 95: damaged bodies


@damages
@pytest.mark.parametrize(("status", "kind"), [(404, NotFoundError), (302, APIStatusError)])
async def test_f41_f95_status_counts_though_the_body_is_damaged(
    server: FaultServer, provider: Provider, watch: Watch, status: int, kind: type[APIStatusError], damage: str
) -> None:
    """A 404 or a redirect is the error that it is at the first try, with as much of its body as can be read."""
    server.always(provider.path, damaged(damage, status, ("Location", "/elsewhere")))

    with watch.raises(kind) as caught:
        await provider.of(server)()

    assert caught.value.status_code == status
    assert (server.count(provider.path), server.count("/elsewhere")) == (1, 0)
    assert caught.value.body in ("{}", *(WORDS.decode()[:end] for end in range(len(WORDS) + 1)))
    if damage in ("short Content-Length", "no last chunk", "cut gzip", "cut gzip in chunks"):
        assert caught.value.body.startswith('{"message": "no such thing')


@damages
async def test_f95_retry_after_counts_though_the_body_is_damaged(
    server: FaultServer, provider: Provider, clock: FakeClock, damage: str
) -> None:
    """A 429 with a `Retry-After` is waited for, and then the call is repeated."""
    server.once(provider.path, damaged(damage, 429, ("Retry-After", "7")))
    server.always(provider.path, provider.good)

    assert await provider.of(server, retry=RetryPolicy(), clock=clock)() == GROUP_ID

    (wait,) = clock.slept
    assert 7 <= wait <= 7.5


@damages
@pytest.mark.parametrize("status", [401, 403])
async def test_f95_refusal_counts_though_the_body_is_damaged(
    server: FaultServer, m3ter: MakeM3ter, watch: Watch, damage: str, status: int
) -> None:
    """A token that is refused is replaced once; credentials that are refused are so, and not tried again."""
    server.once(LIST, GOOD_PAGE, damaged(damage, status))
    server.once(TOKEN, token_answer(token(1)), token_answer(token(2)))
    serve(server, tokens=damaged(damage, status))
    client = m3ter(server)

    assert [await listed(client), await listed(client)] == [["group-1"]] * 2
    assert presented(server) == [token(1), token(1), token(2)]
    with watch.raises(AuthenticationError) as caught:
        await m3ter(server).authenticate()

    assert caught.value.status_code == status
    assert server.count(TOKEN) == 3
