"""`usergroups`: who is in which user group, asked from a shell. Needs the extra `cli`."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from .words import INTERRUPTED, CommandError, UsageError, complain, throw_away, unwritable


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command and return the exit status.

    *arguments* are the process's own where they are None.
    """
    try:
        return _run(sys.argv[1:] if arguments is None else arguments)
    except CommandError as error:
        if error.sentence:
            complain(error.sentence)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: Sequence[str]) -> int:
    if missing := [name for name in ("cyclopts", "rich") if find_spec(name) is None]:
        raise CommandError(
            f"the command needs {' and '.join(missing)}: install usergroups with its extra 'cli'"
            " (pip install '.[cli]' in a checkout)"
        )
    if not arguments:
        raise UsageError("a command is missing; usergroups --help lists them")
    from cyclopts import CycloptsError, UnusedCliTokensError

    from .commands import make_app

    try:
        command, bound, *_ = make_app().parse_args(arguments, exit_on_error=False, print_error=False)
        status: int | None = command(*bound.args, **bound.kwargs)
        print(end="", flush=True)
    except UnusedCliTokensError as error:
        raise UsageError(f"unexpected argument: {' '.join(error.unused_tokens or ())}") from error
    except CycloptsError as error:
        error.verbose = False
        raise UsageError(str(error)) from error
    except OSError as error:  # of help and the like: calls, files and rows have errors of their own
        throw_away(sys.stdout)
        raise unwritable("stdout", error) from error
    return status or 0
