"""
Show the SDK's main job against a local sandbox: `make demo`.

A user's groups come over several pages, and the access token ends on the way: the sandbox answers slowly
and its tokens live shorter than the listing takes. Then one SmartPM group, a review of all memberships in both
systems, and what the server counted.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

TOKEN_LIFETIME = 0.6  # seconds
LATENCY = 0.15  # seconds that the sandbox takes for each answer
START_WITHIN = 30.0  # seconds

ROWS_OF_A_USER = 4  # of the review, that are shown

USER_ID = "grace"
USER_GROUP_ID = "550e8400-e29b-41d4-a716-446655440000"


class DemoError(Exception):
    """Something failed; the text says what, and the way out."""


async def show_user_groups() -> None:
    """Print the m3ter groups of one user, then the users of one SmartPM group."""
    from usergroups import M3terClient, SmartPMClient

    async with M3terClient() as m3ter:
        print(f"\nm3ter: the user groups of {USER_ID}, two to a page")
        async for group in m3ter.list_user_groups(USER_ID, inherited=True, page_size=2):
            print(f"  {group.id}  {group.name}")

    async with SmartPMClient() as smartpm:
        group = await smartpm.get_user_group(USER_GROUP_ID)
        print(f"\nSmartPM: the users of {group.name}")
        for user in group.users:
            seen = f"last seen {user.last_login:%Y-%m-%d %H:%M %Z}" if user.last_login else "never seen"
            print(f"  {user.email:28} {user.role:20} {seen}")


async def show_review() -> None:
    """Print who is in which group, in both systems: a table of all memberships, or the first ones of each user."""
    from usergroups import M3terClient, SmartPMClient, review

    shown, left_out = Counter(), Counter()
    print("\nA review of both systems, from nothing but the credentials")
    print(f"  {'SYSTEM':8} {'USER':30} GROUP")
    async with M3terClient() as m3ter, SmartPMClient() as smartpm:
        async for row in review(m3ter, smartpm):
            if row.error:
                raise DemoError(f"the review is not complete: {row.error}")
            user = row.user_email or "-"
            shown[user] += 1
            if shown[user] > ROWS_OF_A_USER:
                left_out[user] += 1
            else:
                print(f"  {row.system:8} {user:30} {row.group_name or '-'}{' (inherited)' if row.inherited else ''}")
    for user, number in left_out.items():
        print(f"  {'':8} {user:30} ... and {number} more groups")


def show_counts(url: str) -> None:
    """Print what the server counted; fail where it was not what this demo is to show."""
    with urllib.request.urlopen(f"{url}/_sandbox/counts", timeout=10) as answer:
        counts = json.load(answer)
    counted = f"{counts['token_requests']} token requests and {counts['pages']} pages"
    if counts["token_requests"] < 2 or counts["pages"] < 2:
        raise DemoError(f"{counted} are less than a listing over two tokens takes: make test says what broke")
    print(f"\nThe server counted {counted}: tokens ended on the way, and others took their place.")


@contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """Run a sandbox on a free port for as long as the context lasts; yield the environment that leads to it."""
    command = [sys.executable, "-m", "usergroups.sandbox", "--port", "0"]
    command += ["--token-lifetime", str(TOKEN_LIFETIME), "--latency", str(LATENCY)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    watchdog = threading.Timer(START_WITHIN, process.kill)
    watchdog.start()
    try:
        yield read_settings(process)
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


def read_settings(process: "subprocess.Popen[str]") -> dict[str, str]:
    """Read the lines `export NAME=VALUE` that a sandbox prints once it takes requests."""
    settings = {}
    while "SMARTPM_BASE_URL" not in settings:
        line = process.stdout.readline()
        if not line:
            reason = (process.stderr.read().strip().splitlines() or ["it said nothing"])[-1]
            raise DemoError(f"the sandbox did not start ({reason}): run make demo, which installs what it needs")
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            settings[name] = value
    return settings


def main() -> int:
    """Run the demo and return its exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the sandbox is ended too
    try:
        with sandbox() as settings:
            # It is on this machine, where no proxy of the environment leads.
            os.environ |= settings | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
            print(f"A sandbox of both providers on {settings['M3TER_BASE_URL']}; a token lives {TOKEN_LIFETIME} s")
            asyncio.run(show_user_groups())
            asyncio.run(show_review())
            show_counts(settings["M3TER_BASE_URL"])
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        mend = "" if isinstance(error, DemoError) else ": run it once more, and make test if it fails again"
        print(f"demo: {error}{mend}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
