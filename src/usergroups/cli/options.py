"""The options that commands share."""

from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

System = Literal["m3ter", "smartpm"]
By = Literal["groups", "users"]
RowsFormat = Literal["table", "json", "jsonl", "csv"]
ReviewFormat = Literal[RowsFormat, "html"]


def _option(*names: str, help: str) -> Parameter:  # noqa: A002  # as Parameter has it
    return Parameter(name=names or None, help=help)


_FORMAT = _option(help="What comes out. The default is table on a terminal, and jsonl elsewhere.")
_OUTPUT = _option(
    "--output", "-o", help="Write to FILE, whose suffix names the format; to FILE.part until it is whole."
)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class CallOptions:
    """
    How a provider is called.
    """

    env_file: Annotated[
        Path | None, _option(help="Read settings from FILE, NAME=value a line. The environment wins.")
    ] = None
    timeout: Annotated[float, _option(help="Seconds for each call (default: 60).")] = 60.0
    verbose: Annotated[bool, _option("--verbose", "-v", help="Print the SDK's log to stderr.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class AskOptions(CallOptions):
    """
    How a provider is asked about many, and where the answers go.
    """

    output: Annotated[Path | None, _OUTPUT] = None
    resume: Annotated[
        bool,
        _option(help="Keep what FILE.part or FILE answers, and ask for the rest, with the same options as before."),
    ] = False
    concurrency: Annotated[int, _option(help="Ask about so many at once (default: 16).")] = 16
    max_rate: Annotated[
        float, _option(help="Begin so many requests a second at most, in each system (default: 50).")
    ] = 50.0
    quiet: Annotated[bool, _option("--quiet", "-q", help="Print neither progress nor a summary.")] = False


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class IdOptions(AskOptions):
    """
    What is asked about ids.
    """

    source: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="Read ids from FILE, or from stdin for -: an id a line. Lines that begin with # are comments.",
            allow_leading_hyphen=True,
        ),
    ] = None
    format: Annotated[RowsFormat | None, _FORMAT] = None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class ReviewOptions(AskOptions):
    """
    What a review asks.
    """

    system: Annotated[System | None, _option(help="Review this one alone (default: both).")] = None
    by: Annotated[
        By | None,
        _option(help="Ask m3ter what is in each group, or for the groups of each user (default: what is less)."),
    ] = None
    format: Annotated[ReviewFormat | None, _FORMAT] = None


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class DiffOptions:
    """
    Where differences go.
    """

    format: Annotated[RowsFormat | None, _FORMAT] = None
    output: Annotated[Path | None, _OUTPUT] = None
