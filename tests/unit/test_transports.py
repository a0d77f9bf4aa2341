"""The transport that a client makes for itself: proxies and certificates as the environment says."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpcore
import httpx
import hypothesis
import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from rig.canary import sweep_exception
from rig.script import answer
from rig.server import FaultServer
from usergroups import ConfigurationError, SmartPMClient, _aiohttp
from usergroups._aiohttp import _Connection, _Context
from usergroups._http.environment import connector, environment_proxies, tls_context
from usergroups._http.network import Backend
from usergroups.transports import aiohttp_transport, default_transport

URL = "https://api.m3ter.com"

unhurried = hypothesis.settings(deadline=None)  # a machine that is busy fails no test


def proxy_of(base_url: str = URL) -> str | None:
    """Return the URL of the proxy that the environment has for *base_url*."""
    proxy = environment_proxies()(base_url)
    return None if proxy is None else str(proxy.url)


ADDRESSES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30) | st.from_regex(
    r"(https?://)?([a:@]{0,4})[a0.:\[\]%-]{0,9}(:[0-9]{0,6})?(/.{0,3})?", fullmatch=True
)


class Pipe(asyncio.Transport):
    """A transport without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True


class TestAiohttp:
    """The transport on aiohttp, as far as it is no matter of sockets."""

    def test_missing_extra_is_named(self) -> None:
        """Without the extra `aiohttp`, the module says how to install it."""
        code = "import sys; sys.modules['aiohttp'] = None; import usergroups.transports as t; t.aiohttp_transport()"

        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

        *_, last = run.stderr.splitlines()
        assert last.startswith("ModuleNotFoundError: this transport needs aiohttp: install usergroups with its extra")
        assert "During handling" not in run.stderr

    @pytest.mark.parametrize(
        "environment",
        [
            {"HTTPS_PROXY": "socks5://user:canary@p", "NO_PROXY": "api.m3ter.com,live.smartpmtech.com"},
            {"HTTP_PROXY": "socks5://user:canary@p"},
        ],
        ids=["for https", "for http"],
    )
    def test_f79_f100_proxy_that_cannot_be_used(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
    ) -> None:
        """A proxy that aiohttp cannot use is refused when the transport is made, whatever hosts need none."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        with pytest.raises(ConfigurationError, match="the proxy cannot be used") as caught:
            aiohttp_transport()

        assert sweep_exception(caught.value) == []

    def test_f79_proxy_that_nothing_goes_through(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where every host is asked without a proxy, it does not matter what the proxy is."""
        monkeypatch.setenv("HTTPS_PROXY", "socks5://p")
        monkeypatch.setenv("NO_PROXY", "*")

        assert isinstance(aiohttp_transport(), httpx.AsyncBaseTransport)

    def test_f103_context_passes_for_whatever_class_has_the_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A context stays one, and can be asked all that it could be asked, where another class takes the name."""
        context = _Context(tls_context())
        assert isinstance(context, ssl.SSLContext)

        monkeypatch.setattr(ssl, "SSLContext", type("Another", (ssl.SSLContext,), {}))

        assert isinstance(context, ssl.SSLContext)
        assert context.check_hostname is True

    async def test_f83_what_comes_before_the_first_request_closes_the_connection(self) -> None:
        """A server that speaks first is not listened to: what it said would answer the first request."""
        transport = Pipe()
        connection = _Connection(asyncio.get_running_loop())
        connection.connection_made(transport)

        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        connection.set_response_params()

        assert transport.is_closing()
        assert connection.should_close
        assert len(connection) == 0

    async def test_f83_what_was_put_aside_with_the_end_of_an_answer_closes_the_connection(self) -> None:
        """Where aiohttp stops in a long answer, and what it has not read yet may hold more, it is not used again."""
        transport = Pipe()
        connection = _Connection(asyncio.get_running_loop())
        connection.connection_made(transport)
        connection.set_response_params()

        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 600000\r\n\r\n" + b"x" * 600_000 + b"HTTP/1.1 2")
        _, body = await connection.read()
        while not body.at_eof():
            body.read_nowait()

        assert connection.should_close
        assert transport.is_closing()

    async def test_f83_what_comes_once_the_connection_is_closed_is_dropped(self) -> None:
        """Where aiohttp has closed the connection already, over `Connection: close` perhaps, nothing is left to do."""
        transport = Pipe()
        connection = _Connection(asyncio.get_running_loop())
        connection.connection_made(transport)
        connection.close()

        connection.data_received(b"H")

        assert transport.is_closing()
        assert connection.should_close

    @unhurried
    @given(ADDRESSES)
    def test_f100_anything(self, address: str) -> None:
        """Whatever the environment holds for either scheme, it is a proxy for aiohttp, none at all, or refused."""
        for name in ("HTTPS_PROXY", "HTTP_PROXY"):
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setenv(name, address.replace("\0", ""))
                with suppress(ConfigurationError):
                    assert isinstance(aiohttp_transport(), httpx.AsyncBaseTransport)

    async def test_f74_password_of_the_proxy_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A transport that has been used shows the proxy's password nowhere."""
        monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@127.0.0.1:1")
        transport = aiohttp_transport()

        async with transport:
            with pytest.raises(httpx.ProxyError):
                await transport.handle_async_request(httpx.Request("GET", URL))

        assert "canary" not in repr(vars(transport))


@pytest.mark.parametrize("make", [default_transport, aiohttp_transport])
class TestSettings:
    """What a transport that is passed to a client is told."""

    @pytest.mark.parametrize("verify", [True, False, 5, "", "/etc/ssl/ca.pem", ssl.SSLContext])
    def test_f79_verify_that_is_no_context(self, make: Callable[..., Any], verify: Any) -> None:
        """Certificates are given as a TLS context, and as nothing else."""
        with pytest.raises(ConfigurationError, match=r"^verify must be of type SSLContext, not"):
            make(verify=verify)

    @pytest.mark.parametrize(
        ("proxy", "problem"),
        [
            ("", "is no URL of a proxy that is known"),
            ("http://user:canary@", "is no URL of a proxy that is known"),
            ("http://user:canary@no host", "is no URL of a proxy that is known"),
            ("socks4://user:canary@p", "is no URL of a proxy that is known"),
            (b"http://user:canary@p", "must be text, not bytes"),
            ({"https": "http://user:canary@p"}, "must be text, not dict"),
        ],
    )
    def test_f79_proxy_of_ones_own_that_is_none(self, make: Callable[..., Any], proxy: Any, problem: str) -> None:
        """A proxy that is no URL of one is refused by its name, and its password shown nowhere."""
        with pytest.raises(ConfigurationError, match=f"^proxy {problem}$") as caught:
            make(proxy=proxy)

        assert caught.value.__context__ is None
        assert sweep_exception(caught.value) == []

    @pytest.mark.skipif(find_spec("socksio") is not None, reason="the package for socks proxies is installed")
    def test_f79_socks_proxy(self, make: Callable[..., Any]) -> None:
        """A socks proxy is refused at once without the package that it needs; aiohttp knows none."""
        with pytest.raises(ConfigurationError, match=r"^the proxy cannot be used: ") as caught:
            make(proxy="socks5://user:canary@p:1080")

        assert caught.value.__context__ is None
        assert sweep_exception(caught.value) == []

    def test_f79_settings_of_ones_own_count(self, make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
        """What is passed is used though the environment's cannot be; what is not passed is the environment's."""
        context = ssl.create_default_context()
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/canary")
        monkeypatch.setenv("HTTPS_PROXY", "http://no host")

        assert isinstance(make(verify=context, proxy="http://p"), httpx.AsyncBaseTransport)
        with pytest.raises(ConfigurationError, match=r"^SSL_CERT_FILE or SSL_CERT_DIR cannot be used"):
            make(proxy="http://p")


class TestProxy:
    """Which proxy a client goes through: by the rules of `urllib.request`."""

    @pytest.mark.parametrize(
        ("environment", "base_url", "proxy"),
        [
            pytest.param({}, URL, None, id="no proxy"),
            pytest.param(
                {"HTTP_PROXY": "http://p"}, "http://127.0.0.1:8080", "http://p", id="for http, and it is http"
            ),
            pytest.param(
                {"HTTP_PROXY": "http://p", "REQUEST_METHOD": "GET"}, "http://127.0.0.1", None, id="from a CGI client"
            ),
            pytest.param({"HTTPS_PROXY": "http://p"}, "HTTPS://api.m3ter.com", "http://p", id="a scheme in capitals"),
            pytest.param({"HTTPS_PROXY": "//p:3128"}, URL, "http://p:3128", id="without a scheme, with slashes"),
            pytest.param({"HTTPS_PROXY": "https://p"}, URL, "https://p", id="over https"),
            pytest.param({"HTTPS_PROXY": "http://[::1]:3128"}, URL, "http://[::1]:3128", id="an IPv6 address"),
            pytest.param({"HTTPS_PROXY": "http://user:canary@p"}, URL, "http://p", id="with a password"),
        ],
    )
    def test_f79_choice(
        self, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], base_url: str, proxy: str | None
    ) -> None:
        """The proxy of the URL's scheme is taken."""
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

        assert proxy_of(base_url) == proxy

    @pytest.mark.parametrize(
        ("no_proxy", "base_url", "bypassed"),
        [
            pytest.param("api.m3ter.com", URL, True, id="the host"),
            pytest.param("m3ter.com", URL, True, id="its domain"),
            pytest.param("api.m3ter.com:8443", f"{URL}:8443/x", True, id="the host and its port"),
            pytest.param("api.m3ter.com:8443", f"{URL}:443", False, id="the host and another port"),
            pytest.param("api.m3ter.com", f"{URL}:8443", True, id="the host at any port"),
            pytest.param("ter.com", URL, False, id="the end of its name"),
            pytest.param("api.m3ter.com.evil.example", URL, False, id="a longer name"),
            pytest.param("127.0.0.1", "https://127.0.0.1:8443", True, id="an address"),
        ],
    )
    def test_f79_exceptions(
        self, monkeypatch: pytest.MonkeyPatch, no_proxy: str, base_url: str, bypassed: bool
    ) -> None:
        """Hosts that need no proxy are asked without one."""
        monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
        monkeypatch.setenv("NO_PROXY", no_proxy)

        assert proxy_of(base_url) == (None if bypassed else "http://p:3128")

    def test_f79_choice_is_made_from_what_was_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is read once serves for every URL, and later changes of the environment do not reach it."""
        monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
        monkeypatch.setenv("NO_PROXY", "other.example")

        choose = environment_proxies()
        monkeypatch.setenv("HTTPS_PROXY", "http://later")
        monkeypatch.setenv("NO_PROXY", "api.m3ter.com")

        chosen = [choose(url) for url in (URL, "https://other.example", "http://127.0.0.1")]
        assert [proxy and str(proxy.url) for proxy in chosen] == ["http://p:3128", None, None]

    def test_f79_password_goes_to_the_proxy_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A proxy's user and password are known, and shown nowhere."""
        monkeypatch.setenv("HTTPS_PROXY", "http://user:canary@p:3128")

        proxy = environment_proxies()(URL)

        assert proxy is not None
        assert proxy.raw_auth == (b"user", b"canary")
        assert "canary" not in repr(proxy)

    @pytest.mark.parametrize(
        "address",
        [
            "http://",
            "http://:3128",
            "http://user:canary@",
            "http://user:canary@1.2.3.999",
            "http://user:canary@no host",
            "socks4://user:canary@p",
            "://p",
            "no url",
            "   ",
        ],
    )
    def test_f79_proxy_that_is_none(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        """A proxy that is no URL of one is refused when the client is made, and its password shown nowhere."""
        monkeypatch.setenv("HTTPS_PROXY", address)

        with pytest.raises(ConfigurationError, match="is no URL of a proxy that is known") as caught:
            environment_proxies()(URL)

        assert caught.value.__context__ is None
        assert sweep_exception(caught.value) == []

    @pytest.mark.skipif(find_spec("socksio") is not None, reason="the package for socks proxies is installed")
    @pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
    def test_f79_proxy_that_lacks_its_package(self, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
        """A socks proxy without the package that it needs is refused when the client is made, with the way out."""
        monkeypatch.setenv("HTTPS_PROXY", f"{scheme}://user:canary@p:1080")

        with pytest.raises(ConfigurationError, match=r"pip install 'httpx\[socks\]'") as caught:
            connector(URL, tls_context(), environment_proxies())

        assert caught.value.__context__ is None
        assert sweep_exception(caught.value) == []

    @unhurried
    @given(ADDRESSES)
    @example("http://\u3002")
    @example("http://xn--/")
    @example("http://" + "a" * 64)
    @example("http://" + "\xe4" * 64)
    def test_f79_anything(self, address: str) -> None:
        """Whatever the environment holds, it is a proxy that can be asked, none at all, or refused."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("HTTPS_PROXY", address.replace("\0", ""))
            try:
                proxy = environment_proxies()(URL)
            except ConfigurationError:
                return

        assert proxy is None or httpx.AsyncHTTPTransport(verify=tls_context(), proxy=proxy)


@pytest.fixture
def authority() -> trustme.CA:
    """Return a certificate authority that nobody knows."""
    return trustme.CA(organization_name="Canary Works")


@pytest.fixture
def cert_file(tmp_path: Path, authority: trustme.CA) -> Path:
    """Return a file with the certificate of that authority."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def organizations(context: ssl.SSLContext) -> set[str]:
    """Return the names of the organizations that *context* trusts."""
    return {
        value
        for certificate in context.get_ca_certs()
        for ((name, value), *_) in certificate["subject"]  # type: ignore[misc]
        if name == "organizationName"
    }


class TestCertificates:
    """Whom a client trusts."""

    def test_f79_usual_authorities(self) -> None:
        """Without a setting, the authorities of certifi are trusted."""
        context = tls_context()

        assert len(context.get_ca_certs()) > 50
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)

    def test_f79_cert_file(self, monkeypatch: pytest.MonkeyPatch, cert_file: Path) -> None:
        """With SSL_CERT_FILE, the authorities in it are trusted, and no others."""
        monkeypatch.setenv("SSL_CERT_FILE", str(cert_file))

        context = tls_context()

        assert organizations(context) == {"Canary Works"}
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert tls_context() is context

    def test_f79_cert_dir(self, monkeypatch: pytest.MonkeyPatch, cert_file: Path) -> None:
        """With SSL_CERT_DIR, certificates are looked for there, and nowhere else."""
        monkeypatch.setenv("SSL_CERT_DIR", str(cert_file.parent))

        context = tls_context()

        assert context.get_ca_certs() == []  # they are read when one is needed
        assert context.verify_mode is ssl.CERT_REQUIRED

    def test_usual_context_is_shared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Clients share what is costly to make; empty variables are as if they were not there."""
        first = tls_context()
        monkeypatch.setenv("SSL_CERT_FILE", "")
        monkeypatch.setenv("SSL_CERT_DIR", "")

        assert tls_context() is first

    def test_f79_file_that_is_replaced_is_read_again(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cert_file: Path
    ) -> None:
        """A client that is made after the certificates were replaced, under the same name, trusts the new ones."""
        monkeypatch.setenv("SSL_CERT_FILE", str(cert_file))
        before = tls_context()
        new = tmp_path / "new.pem"
        trustme.CA(organization_name="Other Works").cert_pem.write_to_path(new)

        new.replace(cert_file)

        assert organizations(before) == {"Canary Works"}
        assert organizations(tls_context()) == {"Other Works"}


class TestConnector:
    """What makes a connection whenever a client needs one."""

    def test_f79_environment_counts_for_the_clients_own_transport(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A client says at once that its surroundings cannot be used, unless it is given a transport."""
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/canary")
        client = partial(SmartPMClient, api_key="k", company_id="c")

        with pytest.raises(
            ConfigurationError, match=r"^SSL_CERT_FILE or SSL_CERT_DIR cannot be used: No such file or directory$"
        ) as caught:
            client()
        assert caught.value.__context__ is None
        assert client(transport=httpx.MockTransport(lambda _: httpx.Response(200)))

    @pytest.mark.parametrize("proxy", ["http://p:3128", "https://p"])
    def test_connection_through_a_proxy(self, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
        """A connection is made for the proxy that the environment had when the client was made."""
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        connect, name = connector(URL, tls_context(), environment_proxies())
        monkeypatch.setenv("HTTPS_PROXY", "no url")

        assert isinstance(connect(Backend()), httpcore.AsyncConnectionInterface)
        assert name == proxy.partition("://")[2]


async def test_f83_aiohttp_that_will_not_be_listened_to_uses_no_connection_twice(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An aiohttp that makes its connections in a way that is not known yet is given no chance to mix them up."""
    monkeypatch.setattr(_aiohttp, "_FACTORY", "somewhere else")
    server.always("/", answer(b"{}"))

    async with aiohttp_transport() as transport:
        for _ in range(2):
            response = await transport.handle_async_request(httpx.Request("GET", f"{server.url}/"))
            await response.aread()
            await response.aclose()

    assert [one.requests for one in server.connections] == [1, 1]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_content_of_another_client_gets_no_type(server: FaultServer, method: str) -> None:
    """A client of httpx on this transport sends the headers that it says, whatever aiohttp would add."""
    server.always("/", answer(b"{}"))

    async with httpx.AsyncClient(transport=aiohttp_transport()) as client:
        await client.request(method, f"{server.url}/", content=b"x")

    (request,) = server.asked("/")
    assert request.body == b"x"
    assert "content-type" not in dict(request.headers)
