"""Will it work here? Settings, address, TLS and credentials of a provider, one after the other."""

import os
from contextlib import suppress
from uuid import UUID

from usergroups import (
    APIConnectionError,
    M3terClient,
    NotFoundError,
    RetryPolicy,
    SmartPMClient,
    UserGroupsError,
    m3ter,
    smartpm,
)

from .options import CallOptions, System
from .running import run
from .settings import REQUIRED, SYSTEMS, settings, told_as_settings
from .words import FAILED, USAGE, UsageError, in_words

_BASE_URLS = {"m3ter": m3ter.BASE_URL, "smartpm": smartpm.BASE_URL}
_ABSENT = UUID(int=0)  # no user, and no user group, has this id
_ONCE = RetryPolicy(attempts=1)
_OF_TLS = ("certificate verify failed", "TLS failed")  # how the sentence of such a failure begins
_STEPS = ("settings", "address", "TLS", "credentials")


def check_all(system: System | None, options: CallOptions) -> int:
    """
    Check *system*, or all where it is None, and return the exit status.
    """
    systems = SYSTEMS if system is None else (system,)
    statuses = [_check(one, options) for one in systems]
    was_asked = min(statuses) != USAGE
    return FAILED if was_asked and any(statuses) else max(statuses)


def _check(system: System, options: CallOptions) -> int:
    """Print a line for each thing that calls of *system* need, and return the exit status."""
    good = {"settings": ", ".join(REQUIRED[system])}
    failing, problem = "", ""
    try:
        with settings([system], options), told_as_settings(system):
            url = os.environ.get(f"{system}_BASE_URL".upper(), "").strip() or _BASE_URLS[system]
            tls = "the certificate is trusted" if url.startswith("https:") else "none: the address is http://"
            good |= {"address": url, "TLS": tls, "credentials": "accepted"}
            run(_call(system, options.timeout))
    except UsageError as error:
        failing, problem = "settings", error.sentence
    except UserGroupsError as error:
        failing, problem = _step_of(error), in_words(str(error), system)
        is_advised = failing == "credentials" or "check " in problem
        problem += "" if is_advised else f"; check {system.upper()}_BASE_URL, the network, and HTTPS_PROXY"
    fine = _STEPS.index(failing) if failing else len(_STEPS)
    for number, step in enumerate(_STEPS):
        verdict, note = ("ok", good[step]) if number < fine else ("failed", problem) if step == failing else ("-", "")
        print(f"{system:7}  {step:11}  {verdict:6}  {note}".rstrip(), flush=True)
    return 0 if not failing else USAGE if failing == "settings" else FAILED


async def _call(system: str, timeout: float) -> None:
    """Ask for what no provider has: that needs all settings, and changes nothing."""
    if system == "m3ter":
        async with M3terClient(retry=_ONCE, timeout=timeout) as client:
            await client.authenticate()
            with suppress(NotFoundError):
                await client.list_user_groups(str(_ABSENT), page_size=1).first()
    else:
        async with SmartPMClient(retry=_ONCE, timeout=timeout) as client:
            with suppress(NotFoundError):
                await client.get_user_group(_ABSENT)


def _step_of(error: UserGroupsError) -> str:
    """Return what it is that did not work."""
    if isinstance(error, APIConnectionError):
        return "TLS" if error.message.startswith(_OF_TLS) else "address"
    return "credentials"
