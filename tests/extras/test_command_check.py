"""`usergroups check`: what works here, and what to do about what does not."""

import socket
from pathlib import Path

import pytest

from rig.script import answer, token_answer
from rig.server import FaultServer
from rig.tls import Authority, Kind
from usergroups.cli import main
from usergroups.sandbox import Server

OF_M3TER = ("M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET")
ABSENT_USER = "/organizations/value-of-the-check/users/00000000-0000-0000-0000-000000000000/usergroups"


def checked(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """Run the check, and return its exit status, and the verdict and note of each step of each system."""
    status = main(["check", *arguments])
    steps: dict[str, dict[str, str]] = {}
    for line in capsys.readouterr().out.splitlines():
        system, step, verdict = line.split(maxsplit=2)
        steps.setdefault(system, {})[step] = verdict
    return status, steps


def test_all_is_well(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Both systems are checked, a line for each step, and nothing is changed: a token is fetched, and a group read."""
    status, steps = checked(capsys=capsys)

    assert status == 0
    assert steps == {
        "m3ter": {
            "settings": "ok      M3TER_ORG_ID, M3TER_API_KEY, M3TER_API_SECRET",
            "address": f"ok      {server.url}",
            "TLS": "ok      none: the address is http://",
            "credentials": "ok      accepted",
        },
        "smartpm": {
            "settings": "ok      SMARTPM_API_KEY, SMARTPM_COMPANY_ID",
            "address": f"ok      {server.url}",
            "TLS": "ok      none: the address is http://",
            "credentials": "ok      accepted",
        },
    }
    assert (server.sandbox.counts.token_requests, server.sandbox.counts.pages) == (1, 0)


@pytest.mark.parametrize(
    ("system", "variable", "says"),
    [
        ("m3ter", "M3TER_API_SECRET", "; check M3TER_API_KEY and M3TER_API_SECRET"),
        ("m3ter", "M3TER_ORG_ID", "; check M3TER_ORG_ID, and that the service user may read user groups"),
        ("smartpm", "SMARTPM_API_KEY", "; check SMARTPM_API_KEY and SMARTPM_COMPANY_ID"),
    ],
)
def test_refused_credentials(
    server: Server,
    system: str,
    variable: str,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Credentials that are refused are told apart from an address that is wrong."""
    monkeypatch.setenv(variable, "another")

    status, steps = checked(system, capsys=capsys)

    assert (status, list(steps)) == (1, [system])
    assert steps[system]["address"].startswith("ok ")
    assert steps[system]["credentials"].startswith("failed  ")
    assert steps[system]["credentials"].partition(" (")[0].endswith(says)


@pytest.mark.parametrize("arguments", [[], ["m3ter"]], ids=["both", "one"])
def test_missing_settings(
    server: Server, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Settings that are missing are named; the status is 2 where nobody was asked, and 1 where another system was."""
    monkeypatch.delenv("M3TER_API_KEY")

    status, steps = checked(*arguments, capsys=capsys)

    assert status == (2 if arguments else 1)
    assert steps["m3ter"] == {
        "settings": "failed  not set: M3TER_API_KEY; set them in the environment, or in a file for --env-file",
        "address": "-",
        "TLS": "-",
        "credentials": "-",
    }
    assert "smartpm" not in steps or steps["smartpm"]["credentials"] == "ok      accepted"


def test_no_settings_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Where neither system is set up, nobody is asked."""
    status, steps = checked(capsys=capsys)

    assert status == 2
    assert [one["settings"].split()[0] for one in steps.values()] == ["failed", "failed"]


def test_bad_proxy_is_a_setting(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that only a call reads is a setting, too."""
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:1")

    status, steps = checked("m3ter", capsys=capsys)

    assert status == 2
    assert steps["m3ter"]["settings"].startswith("failed  the proxy cannot be used: HTTP_PROXY")


def test_address_where_nobody_is(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that cannot be reached is told with what to look at."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("M3TER_BASE_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        status, steps = checked("m3ter", capsys=capsys)

    assert status == 1
    assert steps["m3ter"]["address"].startswith("failed  POST /oauth/token failed: no connection could be made")
    assert steps["m3ter"]["address"].endswith("; check M3TER_BASE_URL, the network, and HTTPS_PROXY")
    assert (steps["m3ter"]["TLS"], steps["m3ter"]["credentials"]) == ("-", "-")


def test_host_that_is_not_found_is_advised_about_once(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the error advises already, nothing is added."""
    monkeypatch.setenv("SMARTPM_BASE_URL", "https://nowhere.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", not_found)

    _, steps = checked("smartpm", capsys=capsys)

    assert "(nowhere.invalid); check SMARTPM_BASE_URL (" in steps["smartpm"]["address"]


def not_found(*_: object, **__: object) -> None:
    """Fail as a resolver does that does not know a name."""
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize("kind", ["good", "unknown authority"])
def test_certificate(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A certificate that is not trusted is told apart from an address that is wrong."""
    authority = Authority()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cert_file(tmp_path)))
    for name in OF_M3TER:
        monkeypatch.setenv(name, "value-of-the-check")
    with FaultServer(tls=authority.server_context(kind)) as server:
        server.always("/oauth/token", token_answer())
        server.always(ABSENT_USER, answer(b"{}", 404))
        monkeypatch.setenv("M3TER_BASE_URL", server.url)
        status, steps = checked("m3ter", capsys=capsys)

    assert steps["m3ter"]["address"] == f"ok      {server.url}"
    if kind == "good":
        assert (status, steps["m3ter"]["TLS"]) == (0, "ok      the certificate is trusted")
        assert steps["m3ter"]["credentials"] == "ok      accepted"
    else:
        assert (status, steps["m3ter"]["credentials"]) == (1, "-")
        assert steps["m3ter"]["TLS"].startswith("failed  POST /oauth/token failed: certificate verify failed: ")
        assert "; SSL_CERT_FILE names certificates to trust (" in steps["m3ter"]["TLS"]
        assert steps["m3ter"]["TLS"].endswith("; check M3TER_BASE_URL, the network, and HTTPS_PROXY")


def test_address_without_tls(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that speaks no TLS is reached, but not trusted."""
    monkeypatch.setenv("M3TER_BASE_URL", server.url.replace("http:", "https:"))

    status, steps = checked("m3ter", capsys=capsys)

    assert (status, steps["m3ter"]["address"][:2], steps["m3ter"]["credentials"]) == (1, "ok", "-")
    assert steps["m3ter"]["TLS"].startswith("failed  POST /oauth/token failed: TLS failed: ")
