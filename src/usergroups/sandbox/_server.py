"""The sandbox on a real socket, under uvicorn."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

import attrs
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from usergroups.sandbox._app import Sandbox


@attrs.frozen
class Server:
    """Where a running sandbox is reached: *url*, and the environment variables *env* for both clients."""

    sandbox: Sandbox
    url: str
    env: dict[str, str]


@contextmanager
def serve(sandbox: Sandbox, *, host: str = "127.0.0.1", port: int = 0) -> Generator[Server]:
    """
    Run *sandbox* in a thread for as long as the context lasts; port 0 is any free one.

    Raises: ValueError for a *host* that is not this machine alone, OSError for a *port* that cannot be had.
    """
    listener = listen(host, port)
    started = threading.Event()
    uvicorn_server = uvicorn_for(sandbox, started.set)

    def run() -> None:
        try:
            uvicorn_server.run(sockets=[listener])
        finally:
            started.set()

    thread = threading.Thread(target=run, name="usergroups-sandbox", daemon=True)
    thread.start()
    try:
        started.wait()
        yield server_at(sandbox, listener)
    finally:
        uvicorn_server.should_exit = True
        thread.join()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on a loopback address."""
    address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"{host} is not a loopback address: the sandbox serves this machine alone")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    listener = socket.create_server((str(address), port), family=family, backlog=2048)
    # Inherited by the connections. uvicorn sends head and body apart, and asyncio does this only for a socket that
    # names its protocol: without it every answer waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def server_at(sandbox: Sandbox, listener: socket.socket) -> Server:
    """Return the place of a sandbox that is served on *listener*."""
    host, port = listener.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    return Server(sandbox, url, sandbox.env(url))


def uvicorn_for(sandbox: Sandbox, on_started: Callable[[], None]) -> uvicorn.Server:
    """Return a server that counts its connections and calls *on_started* once it takes requests."""

    class CountingProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in H11Protocol
            sandbox.counts.connections += 1
            super().connection_made(transport)

    class TellingServer(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            on_started()

    return TellingServer(
        uvicorn.Config(
            sandbox.app,
            http=CountingProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
