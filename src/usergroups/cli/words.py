"""What the command says to people, on stderr: one line each, in the words of a shell."""

import os
import re
import sys
from typing import TextIO

from usergroups.errors import one_line

FAILED = 1
USAGE = 2  # nobody was asked
INTERRUPTED = 130  # as a shell has it: 128 + SIGINT
TERMINATED = 143

# What the SDK's arguments are for a shell; the variables begin with the system's name.
_NAMES = {name: f"{{}}_{name.upper()}" for name in ("org_id", "company_id", "api_key", "api_secret", "base_url")} | {
    "max_in_flight": "--concurrency",
    "max_rate": "--max-rate",
    "page_size": "--page-size",
    "timeout must": "--timeout must",
    "user_group_id": "the id",
    "user_id": "the id",
}
_SETTING = re.compile(r"\w+ \(the argument, or (\w+) in the environment\)")
_NAME = re.compile(rf"(?<![\w/.%-])(?:{'|'.join(_NAMES)})(?![\w/.%-])")  # in no path


class CommandError(Exception):
    """
    The command itself ends here, for the reason in *sentence*, or in silence. *status* is the exit status.
    """

    def __init__(self, sentence: str, status: int = FAILED) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.status = status


class UsageError(CommandError):
    """
    The command is wrong, or a setting: nobody was asked.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, USAGE)


def in_words(error: str, system: str) -> str:
    """
    Return the text of an *error* with the SDK's arguments named as the variables and options that a shell has for them.
    """
    text = _SETTING.sub(r"\1", error)
    return _NAME.sub(lambda found: _NAMES[found[0]].format(system.upper()), text)


def reason(error: OSError) -> str:
    """
    Return why the operating system refused.
    """
    return os.strerror(error.errno or 0).lower()


def unwritable(name: str, error: OSError) -> CommandError:
    """
    Return the error for output that could not be written. Whoever read it and has left wants to hear no more.
    """
    return CommandError("" if isinstance(error, BrokenPipeError) else f"cannot write to {name}: {reason(error)}")


def complain(sentence: str) -> None:
    """
    Print *sentence* as one line to stderr, if anybody reads that.
    """
    if sys.stderr is not None:  # or `print` would take stdout
        try:
            print(f"usergroups: {one_line(sentence)}", file=sys.stderr, flush=True)
        except OSError:
            throw_away(sys.stderr)


def throw_away(stream: TextIO) -> None:
    """
    Throw away what *stream* could not write, or the interpreter fails over it once more at its exit.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
