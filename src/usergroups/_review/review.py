"""The review of one or both systems."""

import asyncio
from collections.abc import AsyncGenerator, Iterable

from usergroups._arguments import of_call
from usergroups._tasks import end, together
from usergroups.m3ter import M3terClient
from usergroups.smartpm import SmartPMClient

from .feed import Feed, Progress
from .m3ter import M3terReview
from .rows import By, Membership
from .smartpm import SmartPMReview

_BATCH = 1_000  # rows per turn of the event loop


def review(
    m3ter: M3terClient | None = None,
    smartpm: SmartPMClient | None = None,
    by: By | None = None,
    progress: Progress | None = None,
    *,
    known: Iterable[Membership] = (),
    concurrency: int = 16,
) -> AsyncGenerator[Membership, None]:
    """
    Yield every membership that the credentials of *m3ter* and *smartpm* lead to, as it is found.

    m3ter is asked *by* "groups" (what is in each) or by "users" (the groups of each); None chooses what can be
    listed, and of both what takes fewer requests. *progress* is called with how many groups and users have been
    asked about, and how many there are, None as long as that is not known. *concurrency* is how many are asked
    about at once in each system.

    *known* are the rows of a review that was interrupted, in their order. What they answer is not asked again: those
    rows come first, as they are, and then all others.

    What fails becomes a row with an `error`, and the rest goes on. Raises `InvalidArgumentError` for a bad argument.
    """
    if m3ter is None and smartpm is None:
        raise of_call.error("m3ter", "or smartpm must be a client")
    if m3ter is not None:
        of_call.instance("m3ter", m3ter, M3terClient)
    if smartpm is not None:
        of_call.instance("smartpm", smartpm, SmartPMClient)
    if by not in (None, "groups", "users"):
        raise of_call.error("by", "must be 'groups', 'users' or None")
    if progress is not None and not callable(progress):
        raise of_call.error("progress", "must be a function of two numbers")
    of_call.instance("known", known, Iterable)
    rows = list(known)
    for row in rows:
        of_call.instance("known", row, Membership)
    of_call.count("concurrency", concurrency)
    return _review(m3ter, smartpm, by, progress, rows, concurrency)


async def _review(
    m3ter: M3terClient | None,
    smartpm: SmartPMClient | None,
    by: By | None,
    progress: Progress | None,
    known: list[Membership],
    concurrency: int,
) -> AsyncGenerator[Membership, None]:
    feed = Feed((m3ter is not None) + (smartpm is not None), progress)

    async def find() -> None:
        reviews = [
            *([] if m3ter is None else [M3terReview(m3ter, feed, concurrency).run(by, known)]),
            *([] if smartpm is None else [SmartPMReview(smartpm, feed, concurrency).run(known)]),
        ]
        await together(*reviews)

    # A task, and no generator in a generator: an event loop that ends closes all generators at once.
    finding = asyncio.create_task(find())
    finding.add_done_callback(lambda _: feed.end())
    taken = 0
    try:
        while (rows := await feed.take()) is not None:
            for row in rows:
                yield row
                taken += 1
                if taken % _BATCH == 0:
                    await asyncio.sleep(0)
        await finding
    finally:
        await end([finding])
