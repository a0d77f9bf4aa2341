"""The options that commands share."""

from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

FormatName = Literal["table", "json", "jsonl", "csv"]


def _option(*names: str, help: str) -> Parameter:  # noqa: A002  # as Parameter has it
    return Parameter(name=names or None, help=help)


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
class Options(CallOptions):
    """
    What is asked, how, and where the answers go.
    """

    source: Annotated[
        str | None,
        Parameter(
            name="--from",
            help="Read ids from FILE, or from stdin for -: an id a line. Lines that begin with # are comments.",
            allow_leading_hyphen=True,
        ),
    ] = None
    format: Annotated[
        FormatName | None,
        _option(help="What comes out. The default is table on a terminal, and jsonl elsewhere."),
    ] = None
    output: Annotated[
        Path | None,
        _option("--output", "-o", help="Write to FILE, whose suffix names the format; to FILE.part until it is whole."),
    ] = None
    resume: Annotated[
        bool,
        _option(help="Keep what FILE.part or FILE answers, and ask for the rest, with the same options as before."),
    ] = False
    concurrency: Annotated[int, _option(help="Ask about so many ids at once (default: 16).")] = 16
    max_rate: Annotated[
        float | None, _option(help="Begin so many requests a second at most (default: 50 for m3ter).")
    ] = None
    quiet: Annotated[bool, _option("--quiet", "-q", help="Print neither progress nor a summary.")] = False

    def format_name(self, *, on_terminal: bool) -> FormatName:
        """
        Return the format: the one asked for, or that of the output's suffix, or the usual one.
        """
        if self.format is not None:
            return self.format
        by_suffix: dict[str, FormatName] = {".json": "json", ".csv": "csv"}
        if self.output is not None:
            return by_suffix.get(self.output.suffix.lower(), "jsonl")
        return "table" if on_terminal else "jsonl"
