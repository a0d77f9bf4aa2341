"""Many ids, asked about at once: each becomes a record, and the command's exit status what came of them."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

import attrs

from usergroups import Outcome, sweep

from .ids import Ids
from .options import Options
from .output import Output, part_of
from .resume import resume
from .rows import Record, is_terminal, make_format
from .running import run
from .screen import Screen
from .words import FAILED, CommandError, UsageError, complain, in_words


@attrs.frozen
class Question:
    """
    A question about an id of *system*: *ask* returns its record, in *columns* that end with the error's.

    *client* is closed at the end.
    """

    system: str
    columns: Sequence[str]
    client: AbstractAsyncContextManager[object]
    ask: Callable[[str], Awaitable[Record]]

    def failure(self, key: str, sentence: str) -> Record:
        """
        Return the record of the id *key*, which could not be asked about.
        """
        empty = [""] * (len(self.columns) - 2)
        return Record({self.columns[0]: key, self.columns[-1]: sentence}, [[key, *empty, sentence]])


def answer(question: Question, ids: Sequence[str], options: Options) -> int:
    """
    Ask *question* about *ids* and those that *options* name, write the answers, and return the exit status.
    """
    if not ids and options.source is None:
        raise UsageError(f"{question.columns[0].upper()} is missing: name one or more, or --from FILE (- for stdin)")
    name = options.format_name(on_terminal=is_terminal())
    form = make_format(name, question.columns, to_stdout=options.output is None)
    known = resume(options.output, form, question.columns) if options.resume else None
    if known is None and options.output is not None and part_of(options.output).exists():
        complain(f"{part_of(options.output)} of an earlier run is replaced; --resume would go on with it")
    wanted = Ids(ids, options.source, known or set())
    output = Output(form, options.output, resumes=known is not None)
    return run(_answer(question, wanted, options, output, kept=len(known or ())))


async def _answer(question: Question, ids: Ids, options: Options, output: Output, *, kept: int) -> int:
    screen = Screen(ids.total, quiet=options.quiet, bar=not options.verbose, kept=kept)
    is_written = True
    try:
        async with question.client:
            outcomes = sweep(question.ask, ids, concurrency=options.concurrency, on_error="yield")
            await output.begin()
            async with aclosing(outcomes):
                async for outcome in outcomes:
                    await _take(outcome, question, output, screen)
        await output.end()
    except CommandError:
        is_written = False
        raise
    finally:
        screen.end(summary=is_written)
        output.close()
    return FAILED if screen.failed else 0


async def _take(outcome: Outcome[str, Record], question: Question, output: Output, screen: Screen) -> None:
    sentence = "" if outcome.error is None else in_words(outcome.error, question.system)
    record = outcome.value or question.failure(outcome.key, sentence)
    with screen.without_bar() if output.is_seen else nullcontext():
        await output.write(record)
    screen.count(len(record.rows))
    if sentence:
        screen.fail(f"{outcome.key}: {sentence}")
