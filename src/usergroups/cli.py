"""`usergroups`: who is in which user group, asked from a shell. Needs the extra `cli`."""

import asyncio
import json as json_format
import os
import re
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

from . import ConfigurationError, M3terClient, SmartPMClient, UserGroupsError, __version__
from .errors import one_line

if TYPE_CHECKING:
    import cyclopts
    import rich.console

_FAILED = 1
_USAGE = 2  # nobody was asked
_INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
_NARROWEST = 40  # columns that the help takes, whatever COLUMNS says

_CONTROLS = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+"
)  # the codes of terminals begin with one; or they end a line
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")  # Unicode's embeddings, overrides and isolates (UAX 9)

_HELP = """
Who is in which user group?

Settings come from the environment: see `usergroups m3ter --help` and `usergroups smartpm --help`.

Exit status: 0; or 1 where the question or the output failed; or 2 where the command or a setting is wrong.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and return the exit status.

    *arguments* are the process's own where they are None.
    """
    if sys.stdout is None:
        return _fail("cannot write to stdout: it is closed")
    if reconfigure := getattr(sys.stdout, "reconfigure", None):
        reconfigure(errors="backslashreplace")  # a name may hold what the terminal cannot show
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except UserGroupsError as error:
        return _fail(str(error), _USAGE if isinstance(error, ConfigurationError) else _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        # It comes from our own output alone: whatever else fails is an error of the SDK.
        _throw_away(sys.stdout)
        # Whoever read it and has left wants to hear no more.
        left = isinstance(error, BrokenPipeError)
        return _FAILED if left else _fail(f"cannot write to stdout: {os.strerror(error.errno or 0).lower()}")


def _run(arguments: Sequence[str]) -> int:
    if missing := [name for name in ("cyclopts", "rich") if find_spec(name) is None]:
        return _fail(
            f"the command needs {' and '.join(missing)}: install usergroups with its extra 'cli'"
            " (pip install '.[cli]' in a checkout)"
        )
    import cyclopts

    if not arguments:
        return _fail("a command is missing; usergroups --help lists them", _USAGE)
    try:
        command, bound, *_ = _app().parse_args(arguments, exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return _fail(str(error), _USAGE)
    answer = command(*bound.args, **bound.kwargs)
    if asyncio.iscoroutine(answer):
        asyncio.run(answer)
    sys.stdout.flush()
    return 0


def _app() -> "cyclopts.App":
    import cyclopts

    app = cyclopts.App(
        name="usergroups",
        help=_HELP,
        version=__version__,
        console=_console(),
        default_parameter=cyclopts.Parameter(show_default=False),
    )
    commands: list[Callable[..., Coroutine[Any, Any, None]]] = [m3ter, smartpm]
    for command in commands:
        app.command(command)
    return app


async def m3ter(
    user_id: str, /, *, inherited: bool | None = None, page_size: int | None = None, json: bool = False
) -> None:
    """
    List the user groups that a m3ter user is in, a line each.

    The environment must have M3TER_ORG_ID, M3TER_API_KEY and M3TER_API_SECRET, and may have M3TER_BASE_URL.

    Args:
        user_id: The user's id.
        inherited: List the groups that those are nested in, too.
        page_size: Ask for so many groups at once, 1 to 200.
        json: Print JSON, an object a line, with all that is known.

    """
    _check_environment("M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET")
    async with M3terClient() as client:
        async for group in client.list_user_groups(user_id, inherited=inherited, page_size=page_size):
            if json:
                _print_json(group.to_dict())
            else:
                _print_line(group.id, group.name)


async def smartpm(user_group_id: str, /, *, json: bool = False) -> None:
    """
    Show a SmartPM user group: its name, then its users, a line each.

    The environment must have SMARTPM_API_KEY and SMARTPM_COMPANY_ID, and may have SMARTPM_BASE_URL.

    Args:
        user_group_id: The group's id, a UUID.
        json: Print JSON, an object a line, with all that is known.

    """
    _check_environment("SMARTPM_API_KEY", "SMARTPM_COMPANY_ID")
    async with SmartPMClient() as client:
        group = await client.get_user_group(user_group_id)
    if json:
        _print_json(group.to_dict())
        return
    _print_line(group.name)
    for user in group.users:
        name = " ".join(part for part in (user.first_name, user.last_name) if part)
        seen = user.last_login.isoformat(sep=" ", timespec="minutes") if user.last_login else None
        _print_line(user.email, name, user.role, seen, indent="  ")


def _check_environment(*names: str) -> None:
    if missing := [name for name in names if name not in os.environ]:
        raise ConfigurationError(f"not set in the environment: {', '.join(missing)}")


def _print_json(value: object) -> None:
    print(json_format.dumps(value))


def _print_line(first: str, *more: str | None, indent: str = "") -> None:
    """
    Print what a provider said, all of it, and neither markup nor a terminal's codes. Terminals show *first* in bold.
    """
    first = _text(first)
    cells = [_bold(first) if _is_terminal() else first, *(_text(text) if text else "-" for text in more)]
    print(indent + "  ".join(cells))


def _text(text: str) -> str:
    """
    Return *text* as one line. What would turn a terminal's line around is left out there, as `errors.one_line` does.
    """
    if _is_terminal():
        text = _TURNS.sub("", text)
    return " ".join(filter(None, (part.strip(" ") for part in _CONTROLS.split(text))))


def _bold(text: str) -> str:
    from rich.style import Style

    console = _console()
    shows = console.color_system is not None and not console.legacy_windows
    return Style(bold=True).render(text) if shows else text


def _is_terminal() -> bool:
    """
    Return whether stdout is a terminal, whatever the environment says: no codes go into a pipe.
    """
    return sys.stdout.isatty()


def _console() -> "rich.console.Console":
    from rich.console import Console

    console = Console(force_terminal=_is_terminal())
    console.width = max(console.width, _NARROWEST)
    return console


def _fail(sentence: str, status: int = _FAILED) -> int:
    if sys.stderr is not None:  # or `print` would take stdout
        try:
            print(f"usergroups: {one_line(sentence)}", file=sys.stderr, flush=True)
        except OSError:
            _throw_away(sys.stderr)
    return status


def _throw_away(stream: TextIO) -> None:
    """
    Throw away what *stream* could not write, or the interpreter fails over it once more at its exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
