"""Settings from the environment, or from a file; what is wrong with them is said in a shell's words."""

import os
import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from logging import DEBUG, StreamHandler, getLogger
from pathlib import Path

from usergroups import ConfigurationError

from .options import CallOptions, System
from .words import UsageError, in_words, reason

REQUIRED: dict[System, Sequence[str]] = {
    "m3ter": ("M3TER_ORG_ID", "M3TER_API_KEY", "M3TER_API_SECRET"),
    "smartpm": ("SMARTPM_API_KEY", "SMARTPM_COMPANY_ID"),
}
SYSTEMS: Sequence[System] = tuple(REQUIRED)

_log = getLogger("usergroups")

_LINE = re.compile(r"""(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(?:"(.*)"|'(.*)'|(.*))""", re.ASCII)


@contextmanager
def settings(systems: Sequence[System], options: CallOptions) -> Generator[None]:
    """
    Have the environment and the log as *options* say. Raises `UsageError` for what one of the *systems* misses.
    """
    found = {} if options.env_file is None else _settings_in(options.env_file)
    added = {name: value for name, value in found.items() if name not in os.environ}
    os.environ.update(added)
    handler = StreamHandler()
    if options.verbose:
        _log.addHandler(handler)
        _log.setLevel(DEBUG)
    try:
        if missing := [name for system in systems for name in REQUIRED[system] if name not in os.environ]:
            way_out = "set them in the environment, or in a file for --env-file"
            one_alone = ", or name one system with --system" if len(systems) > 1 else ""
            raise UsageError(f"not set: {', '.join(missing)}; {way_out}{one_alone}")
        yield
    finally:
        _log.removeHandler(handler)
        for name in added:
            del os.environ[name]


@contextmanager
def told_as_settings(system: System) -> Generator[None]:
    """
    Raise `UsageError` for an argument that clients of *system* cannot use: a shell has it as a setting or an option.
    """
    try:
        yield
    except ConfigurationError as error:
        raise UsageError(in_words(str(error), system)) from error


def _settings_in(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"--env-file: cannot read {file}: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--env-file: {file} is not UTF-8") from error
    found: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            match = _LINE.fullmatch(line)
            if match is None:  # it may hold a secret
                raise UsageError(f"--env-file: line {number} of {file} is not NAME=value")
            found[match[1]] = next(value for value in match.groups()[1:] if value is not None)
    return found
