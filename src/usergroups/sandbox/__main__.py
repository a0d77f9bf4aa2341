"""`python -m usergroups.sandbox`: serve both providers here until told to stop."""

import argparse
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Sequence

try:
    from usergroups.sandbox import Sandbox, smartpm_group_id
    from usergroups.sandbox._app import RANGES
    from usergroups.sandbox._server import Server, listen, server_at, uvicorn_for
except ModuleNotFoundError as error:
    sys.exit(f"usergroups.sandbox: {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit status."""
    options = _parser().parse_args(arguments)
    sandbox = Sandbox(
        token_lifetime=options.token_lifetime,
        rate_limit=options.rate_limit,
        latency=options.latency,
        fail=options.fail,
        seed=options.seed,
    )
    sandbox.data.add_many(users=options.users, groups=options.groups)
    try:
        listener = listen(options.host, options.port)
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        return _fail(f"port {options.port} of {options.host}: {reason}; choose another, or 0 for any free one")
    server = uvicorn_for(sandbox, lambda: _tell(server_at(sandbox, listener), options.users, options.groups))

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn puts its own handlers in place of these, and raises the signal again for these once it has stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    server.run(sockets=[listener])
    return 0


def _tell(server: Server, users: int, groups: int) -> None:
    """Print lines that a shell may evaluate."""
    print(f"# m3ter and SmartPM sandbox on {server.url} (counts: {server.url}/_sandbox/counts)")
    print("# m3ter users: ada, grace, linus, nobody; SmartPM user group: 550e8400-e29b-41d4-a716-446655440000")
    if users:
        print(f"# and the m3ter users user-1 to user-{users}")
    if groups:
        print(f"# and the SmartPM user groups {smartpm_group_id(1)} to {smartpm_group_id(groups)}")
    print("# Paste the next lines into another shell, and run there what is to ask this sandbox; Ctrl-C ends it.")
    for name, value in server.env.items():
        print(f"export {name}={value}")
    print(flush=True)


def _fail(sentence: str) -> int:
    print(f"usergroups.sandbox: {sentence}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m usergroups.sandbox",
        description="Serve a stand-in of m3ter and SmartPM on this machine until told to stop (Ctrl-C).",
        epilog="It prints `export NAME=VALUE` lines: paste them into another shell, and clients there ask it.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="a loopback address (default: 127.0.0.1)")
    add("--port", type=_number(int, 0, 65_535), default=0, metavar="N", help="0, the default, is any free one")
    lifetime = _number(float, *RANGES["token_lifetime"])
    add("--token-lifetime", type=lifetime, default=18_000.0, metavar="SECONDS", help="(default: 18000)")
    rate = _number(int, *RANGES["rate_limit"])
    add("--rate-limit", type=rate, metavar="N", help="requests a second per provider (default: none)")
    latency = _number(float, *RANGES["latency"])
    add("--latency", type=latency, default=0.0, metavar="SECONDS", help="of every answer (default: 0)")
    add("--users", type=_number(int, *RANGES["users"]), default=0, metavar="N", help="so many more m3ter users")
    add("--groups", type=_number(int, *RANGES["groups"]), default=0, metavar="N", help="so many more SmartPM groups")
    fail = "that share of the answers, from 0 to 1, has this status instead; token answers do not (as in 503:0.1)"
    add("--fail", type=_failure, metavar="STATUS:SHARE", help=fail)
    add("--seed", type=int, default=0, metavar="N", help="another number, and other answers fail (default: 0)")
    return parser


def _failure(text: str) -> tuple[int, float]:
    if not re.fullmatch(r"[0-9]+:([0-9]*\.)?[0-9]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not STATUS:SHARE, as in 503:0.1")
    status, _, share = text.partition(":")
    return int(_number(int, *RANGES["status"])(status)), _number(float, *RANGES["share"])(share)


def _number(kind: Callable[[str], float], least: float, most: float) -> Callable[[str], float]:
    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            whole = "whole " * (kind is int)
            raise argparse.ArgumentTypeError(f"{text} is not a {whole}number from {least:g} to {most:g}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
