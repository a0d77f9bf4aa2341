"""The review: every membership, asked from credentials alone."""

from collections.abc import Sequence
from contextlib import aclosing, nullcontext

import attrs

from usergroups import M3terClient, Membership, SmartPMClient, review

from .asking import put, writing
from .clients import m3ter_client, smartpm_client
from .earlier import Earlier, resume_review
from .memberships import COLUMNS, as_record
from .options import ReviewOptions, System
from .output import Output, tell_of_part
from .report import Html
from .rows import Format, make_format
from .running import in_bursts, run
from .screen import Screen
from .settings import SYSTEMS, settings, told_as_settings
from .words import FAILED, in_words


def review_all(options: ReviewOptions) -> int:
    """
    Write every membership, and return the exit status.
    """
    systems = SYSTEMS if options.system is None else (options.system,)
    with settings(systems, options):
        with told_as_settings("m3ter"):
            m3ter = m3ter_client(options) if "m3ter" in systems else None
        with told_as_settings("smartpm"):
            smartpm = smartpm_client(options) if "smartpm" in systems else None
        form = _make_format(options, systems)
        earlier = resume_review(options.output, form, systems, options.by) if options.resume else None
        if earlier is None:
            tell_of_part(options.output)
        output = Output(form, options.output, resumes=earlier is not None)
        return run(_review(m3ter, smartpm, options, earlier or Earlier((), options.by), output))


def _make_format(options: ReviewOptions, systems: Sequence[System]) -> Format:
    name = options.format
    if name is None and options.output is not None and options.output.suffix.lower() == ".html":
        name = "html"
    return Html(systems) if name == "html" else make_format(name, COLUMNS, options.output)


async def _review(
    m3ter: M3terClient | None,
    smartpm: SmartPMClient | None,
    options: ReviewOptions,
    earlier: Earlier,
    output: Output,
) -> int:
    kept = set(earlier.kept())  # comes again, and is in the file
    screen = Screen(None, quiet=options.quiet, bar=not options.verbose, kept=len(earlier.kept()))
    async with m3ter or nullcontext(), smartpm or nullcontext(), writing(output, screen):
        found = review(m3ter, smartpm, earlier.by, screen.reach, known=earlier.rows, concurrency=options.concurrency)
        async with aclosing(in_bursts(found)) as bursts:
            async for burst in bursts:
                new = [row for row in burst if row not in kept]
                rows = [attrs.evolve(row, error=in_words(row.error, row.system)) if row.error else row for row in new]
                await put([as_record(row) for row in rows], output, screen)
                for row in rows:
                    if row.error:
                        screen.fail(f"{_subject(row)}: {row.error}")
    return FAILED if screen.failed else 0


def _subject(row: Membership) -> str:
    """Return what a row with an error is about."""
    group = f" group {row.group_id}" if row.group_id else ""
    user = f" user {row.user_id or row.user_email}" if row.user_id or row.user_email else ""
    return f"{row.system}{group}{user}"
