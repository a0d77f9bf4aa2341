"""Many ids, asked about at once: each becomes a record, and the command's exit status what came of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, nullcontext

import attrs

from usergroups import sweep

from .ids import Ids
from .options import IdOptions
from .output import Output, tell_of_part
from .resume import resume
from .rows import Record, make_format
from .running import run
from .screen import Screen
from .words import FAILED, CommandError, UsageError, in_words


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


def answer(question: Question, ids: Sequence[str], options: IdOptions) -> int:
    """
    Ask *question* about *ids* and those that *options* name, write the answers, and return the exit status.
    """
    if not ids and options.source is None:
        raise UsageError(f"{question.columns[0].upper()} is missing: name one or more, or --from FILE (- for stdin)")
    form = make_format(options.format, question.columns, options.output)
    known = resume(options.output, form, question.columns) if options.resume else None
    if known is None:
        tell_of_part(options.output)
    wanted = Ids(ids, options.source, known or set())
    output = Output(form, options.output, resumes=known is not None)
    return run(_answer(question, wanted, options, output, kept=len(known or ())))


async def _answer(question: Question, ids: Ids, options: IdOptions, output: Output, *, kept: int) -> int:
    screen = Screen(ids.total, quiet=options.quiet, bar=not options.verbose, kept=kept)
    async with question.client, writing(output, screen):
        outcomes = sweep(question.ask, ids, concurrency=options.concurrency, on_error="yield")
        async with aclosing(outcomes):
            async for outcome in outcomes:
                sentence = "" if outcome.error is None else in_words(str(outcome.error), question.system)
                await put([outcome.value or question.failure(outcome.key, sentence)], output, screen)
                screen.count()
                if sentence:
                    screen.fail(f"{outcome.key}: {sentence}")
    return FAILED if screen.failed else 0


@asynccontextmanager
async def writing(output: Output, screen: Screen) -> AsyncGenerator[None]:
    """
    Have *output* begin and end, and *screen* end with it: with a summary unless something could not be written.
    """
    is_written = True
    try:
        await output.begin()
        yield
        await output.end()
    except CommandError:
        is_written = False
        raise
    finally:
        screen.end(summary=is_written)
        output.close()


async def put(records: Sequence[Record], output: Output, screen: Screen) -> None:
    """
    Write *records* to *output*, and count their rows on *screen*.
    """
    with screen.without_bar() if output.is_seen else nullcontext():
        await output.write(*records)
    screen.add(sum(len(record.rows) for record in records))
