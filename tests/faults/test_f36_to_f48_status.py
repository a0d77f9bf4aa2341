"""FAULTS 36 to 48: what an answer's status and headers mean, on each transport."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import pytest

from faults.calls import GROUP_ID, MIB, PAGE, TOKEN, Options, Provider
from rig.clock import FakeClock
from rig.fixtures import MakeM3ter, MakeServer
from rig.leaks import Watch
from rig.script import answer, gzip_answer, json_answer, token_answer
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

pytest_plugins = ("faults.kinds", "faults.providers")  # clients on either transport

NOW = datetime(2026, 11, 2, 10, tzinfo=UTC)  # by the server's clock
USUAL = 0.25  # seconds: half of the first back-off, where the dice show 0.5


def imf_fixdate(moment: datetime) -> str:
    """Write *moment* as HTTP does today (RFC 9110, 5.6.7)."""
    return format_datetime(moment, usegmt=True)


def rfc_850_date(moment: datetime) -> str:
    """Write *moment* as some still did in 1999."""
    return moment.strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime_date(moment: datetime) -> str:
    """Write *moment* as C does."""
    return moment.strftime("%a %b %e %H:%M:%S %Y")


def is_short_and_printable(error: APIStatusError) -> bool:
    """Return whether what *error* says fits on a line of a log."""
    return error.message.isprintable() and 0 < len(error.message) <= 1000 and str(error).isprintable()


# 36: Retry-After


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


async def test_f36_long_retry_after_is_raised_at_once(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch
) -> None:
    """`Retry-After: 7200` is not waited for: the caller hears of it at once."""
    server.always(provider.path, answer(b"", 429, {"Retry-After": "7200"}))
    ask = provider.of(server, timeout=None, retry=RetryPolicy(), clock=clock)

    with watch.raises(RateLimitedError) as caught:
        await ask()

    assert caught.value.retry_after == 7200
    assert clock.slept == []
    assert server.count(provider.path) == 1


async def test_f36_wait_beyond_timeout_is_not_begun(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch
) -> None:
    """A wait that would end after `timeout` is not begun: the caller hears of it at once."""
    server.always(provider.path, answer(b"", 429, {"Retry-After": "20"}))
    ask = provider.of(server, timeout=15, retry=RetryPolicy(), clock=clock)

    with watch.raises(RateLimitedError) as caught:
        await ask()

    assert caught.value.retry_after == 20
    assert clock.slept == []
    assert server.count(provider.path) == 1


# 37 and 38: what Retry-After may be


@pytest.mark.parametrize(
    ("values", "wait"),
    [
        (["0"], USUAL),
        (["-5"], USUAL),
        (["+5"], USUAL),
        (["nan"], USUAL),
        (["inf"], USUAL),
        (["1e3"], USUAL),
        (["0x10"], USUAL),
        (["1_0"], USUAL),
        (["\uff11\uff12"], USUAL),
        (["5.5"], USUAL),
        (["soon"], USUAL),
        (["\xb2"], USUAL),
        ([""], USUAL),
        (["1" * 20], None),
        (["1", "2"], USUAL),
        (["007"], 7.25),
        (["\t7 "], 7.25),
        ([imf_fixdate(NOW + timedelta(seconds=30))], 30.25),
        ([rfc_850_date(NOW + timedelta(seconds=30))], 30.25),
        ([asctime_date(NOW + timedelta(seconds=30))], 30.25),
        ([imf_fixdate(NOW + timedelta(seconds=30)).removesuffix(" GMT")], 30.25),
        ([imf_fixdate(NOW - timedelta(days=1))], USUAL),
        (["Thu, 01 Jan 1970 00:00:00 GMT"], USUAL),
        (["Fri, 31 Dec 9999 23:59:59 GMT"], None),
        (["Fri, 31 Dec 9999 23:59:59 -2359"], None),
        (["Fri, 31 Dec 99999 23:59:59 GMT"], USUAL),
        (["Thu, 30 Feb 2024 12:00:00 GMT"], USUAL),
        ([imf_fixdate(NOW + timedelta(seconds=30)), imf_fixdate(NOW)], USUAL),
    ],
    ids=lambda value: " & ".join(value) or "empty" if isinstance(value, list) else "",
)
async def test_f37_retry_after_is_digits_or_a_date(
    server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch, values: Sequence[str], wait: float | None
) -> None:
    """Anything but digits or a date is as if absent, a wait that is over is the usual one, a long one is an error."""
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


@pytest.mark.parametrize("off", [timedelta(hours=-1), timedelta(hours=1)], ids=["slow", "fast"])
@pytest.mark.parametrize("write", [imf_fixdate, rfc_850_date, asctime_date])
async def test_f38_date_counts_from_the_servers_clock(
    server: FaultServer, provider: Provider, clock: FakeClock, write: object, off: timedelta
) -> None:
    """A date is relative to the answer's own `Date`, so that a clock that is an hour off does not matter."""
    theirs = NOW + off
    headers = {"Date": imf_fixdate(theirs), "Retry-After": write(theirs + timedelta(seconds=10))}  # type: ignore[operator]  # one of three
    server.once(provider.path, answer(b"", 503, headers))
    server.always(provider.path, provider.good)
    ask = provider.of(server, retry=RetryPolicy(), clock=clock, roll=0.5)

    assert await ask() == GROUP_ID

    assert clock.slept == [10.25]


async def test_f38_date_without_date_counts_from_now(server: FaultServer, provider: Provider, clock: FakeClock) -> None:
    """Where the answer does not say when it was sent, it was now."""
    later = imf_fixdate(datetime.now(UTC) + timedelta(seconds=30))
    server.once(provider.path, answer(b"", 503, {"Retry-After": later}))
    server.always(provider.path, provider.good)
    ask = provider.of(server, retry=RetryPolicy(), clock=clock, roll=0.0)

    assert await ask() == GROUP_ID

    (wait,) = clock.slept
    assert 25 <= wait <= 30


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
    policy = RetryPolicy(attempts=6, backoff_initial=0.5, backoff_max=3)
    ask = provider.of(server, retry=policy, clock=clock, roll=roll)

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
    policy = RetryPolicy(attempts=6, backoff_initial=0.5, backoff_max=3)
    ask = provider.of(server, retry=policy, clock=clock, roll=0.5, max_rate=max_rate)

    with watch.raises(RateLimitedError) as caught:
        await ask()

    held = 1.0 if provider.name == "m3ter" and max_rate is None else 0.0
    assert caught.value.retry_after is None
    assert clock.slept == pytest.approx([0.25, max(0.5, held), 1.0, 1.5, 1.5])
    assert server.count(provider.path) == 6


async def test_f39_waits_are_spread(server: FaultServer, provider: Provider, clock: FakeClock, watch: Watch) -> None:
    """Callers who failed at the same moment do not come back at the same moment."""
    server.always(provider.path, answer(b"", 503))
    policy = RetryPolicy(attempts=100, backoff_initial=8, backoff_max=8)
    ask = provider.of(server, timeout=None, retry=policy, clock=clock, roll=random.Random(39))

    with watch.raises(ServerError):
        await ask()

    assert len(clock.slept) == 99
    assert 0 <= min(clock.slept) < 1 < 7 < max(clock.slept) <= 8


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


# 41: redirects


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


# 42: statuses that nobody has heard of


@pytest.mark.parametrize("status", [201, 202, 203, 206, 207, 226, 299])
async def test_f42_other_success_is_unexpected(
    server: FaultServer, provider: Provider, watch: Watch, status: int
) -> None:
    """No 2xx but 200 is an answer, however good its body looks: it may hold a part of a list, or none."""
    server.always(provider.path, json_answer(provider.document, status))

    with watch.raises(UnexpectedResponseError) as caught:
        await provider.of(server)()

    assert (caught.value.status_code, caught.value.json_path) == (status, "$")
    assert caught.value.message == f"its status is {status}, not 200"
    assert json.loads(caught.value.body) == provider.document
    assert server.count(provider.path) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (499, APIStatusError),
        (498, APIStatusError),
        (418, APIStatusError),
        (520, ServerError),
        (599, ServerError),
        (600, APIStatusError),
        (999, APIStatusError),
    ],
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


# 44: cookies


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
XML = b'<?xml version="1.0"?><Error><Code>SlowDown</Code></Error>'
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
        (400, b"null", "application/json", BadRequestError, "Bad Request"),
        (400, b'{"message": 5}', "application/json", BadRequestError, "Bad Request"),
        (400, b'{"message": " "}', "application/json", BadRequestError, "Bad Request"),
        (
            422,
            b'{"message": "no\\nsuch\\u0000\\u001b[31m \\ud800"}',
            "application/json",
            BadRequestError,
            "no such [31m",
        ),
        (503, XML, "application/xml", ServerError, "Service Unavailable"),
        (404, b"\xff\xfe\x00 no \x1b[2J such", "text/plain", NotFoundError, "\ufffd\ufffd no [2J such"),
        (404, "ungültig".encode("latin-1"), "text/plain", NotFoundError, "ung\ufffdltig"),
        (401, b'{"error": "invalid", "error_description": "too old"}', "", AuthenticationError, "too old"),
        (403, b'{"error": "forbidden"}', "", PermissionDeniedError, "forbidden"),
        (429, b"[" * 200_000, "application/json", RateLimitedError, None),
        (500, b"x" * 5 * MIB, "text/plain", ServerError, None),
        (400, b'{"message": "' + b"x" * MIB + b'"}', "application/json", BadRequestError, None),
        (400, b'{"n": ' + b"1" * 5000 + b"}", "application/json", BadRequestError, None),
    ],
    ids=[
        "502 HTML",
        "502 HTML as JSON",
        "413 text",
        "500 empty",
        "400 cut JSON",
        "400 list",
        "400 null",
        "400 number",
        "400 blank",
        "422 control characters",
        "503 XML",
        "404 bytes",
        "404 latin-1",
        "401 OAuth",
        "403 error",
        "429 deep JSON",
        "500 long text",
        "400 long JSON",
        "400 long number",
    ],
)
async def test_f47_body_of_an_error_may_be_anything(
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

    assert type(caught.value) is kind
    assert caught.value.status_code == status
    assert is_short_and_printable(caught.value)
    assert len(caught.value.body) <= 4096
    assert message is None or caught.value.message == message


async def test_f47_compressed_error_is_read(server: FaultServer, provider: Provider, watch: Watch) -> None:
    """An error's body may be compressed as well."""
    server.always(provider.path, gzip_answer(b'{"message": "squeezed"}', 404))

    with watch.raises(NotFoundError) as caught:
        await provider.of(server)()

    assert (caught.value.message, caught.value.body) == ("squeezed", '{"message": "squeezed"}')


@pytest.mark.parametrize("coding", ["br", "gzip, gzip"])
async def test_f47_error_in_an_unknown_coding_is_an_error(
    server: FaultServer, provider: Provider, watch: Watch, coding: str
) -> None:
    """Where the body cannot be read, the status speaks alone."""
    server.always(provider.path, answer(b"\x1f\x8brubbish", 404, {"Content-Encoding": coding}))

    with watch.raises(NotFoundError) as caught:
        await provider.of(server)()

    assert (caught.value.message, caught.value.body) == ("Not Found", "")


async def test_f47_too_large_says_the_way_out(
    server: FaultServer, options: Options, make_m3ter: MakeM3ter, watch: Watch
) -> None:
    """m3ter's 413 tells the caller to ask for smaller pages; the message stays the provider's."""
    server.always(TOKEN, token_answer())
    server.always(PAGE, json_answer({"message": "response too large"}, 413))

    with watch.raises(BadRequestError) as caught:
        await make_m3ter(server, **options()).list_user_groups("ada").first()

    assert caught.value.message == "response too large"
    assert str(caught.value) == (
        f"GET {PAGE} answered 413 {HTTPStatus(413).phrase}: response too large;"
        " ask for less at a time, with a smaller page_size"
    )
    assert server.count(PAGE) == 1


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"status": 200, "title": "Out of order", "detail": "The lift is stuck"}, "The lift is stuck"),
        ({"status": 200, "title": "Out of order"}, "Out of order"),
        ({"status": 200, "title": "Out of order", "detail": None}, "Out of order"),
        ({"status": 200, "code": 5}, "Internal Server Error"),
    ],
    ids=["detail", "title", "null detail", "neither"],
)
async def test_f48_problem_details_are_understood(
    server: FaultServer, provider: Provider, watch: Watch, document: object, message: str
) -> None:
    """A problem's detail or title is the message, and its own `status` is not believed (RFC 9457)."""
    script = json_answer(document, 500).replace(b"application/json", PROBLEM.encode())
    server.always(provider.path, script)

    with watch.raises(ServerError) as caught:
        await provider.of(server)()

    assert (caught.value.status_code, caught.value.message) == (500, message)
    assert server.count(provider.path) == 3
