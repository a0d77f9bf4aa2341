"""The life of an access token: one fetch for all who need it, and a new one before the old one ends."""

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from logging import getLogger
from typing import Any, TypeVar

import attrs

from usergroups._http.retry import NO_RETRIES, RetryPolicy
from usergroups._runtime import Runtime
from usergroups._secrets import Redactor, hide
from usergroups._telemetry import observe_fetch
from usergroups.errors import APIConnectionError, UserGroupsError

from .flight import Fetch, Flight, Grant, Outcome
from .pause import Pause
from .store import CarefulStore, TokenStore
from .token import Token

E = TypeVar("E", bound=Exception)

_log = getLogger("usergroups")

_MARGIN = 0.05  # the share of a life that is not used: clocks drift, requests travel ...
_LONGEST_MARGIN = 5.0  # ... and at most this many seconds of it
_AHEAD = 0.2  # the last share of a life in which a new token is fetched in the background ...
_LONGEST_AHEAD = 300.0  # ... and at most this many seconds of it
_SHORTEST_AHEAD = 2.0  # seconds; a shorter life is too short for a background refresh
_BACKGROUND_PAUSE = 5.0  # seconds from one background try to the next
_NO_WAIT = 1e-9  # seconds; a fetch gives up at any Retry-After: the pause is the source's
_REPLACEMENT_PAUSE = 60.0  # seconds without replacements, after one that did not help
_USUAL_TIMEOUT = 60.0  # seconds for a fetch, where the client's timeout is None


@attrs.define
class _Held:
    token: Token
    refresh_at: float
    ends_at: float
    replaceable_at: float  # before, it is not known whether replacing the one before it was of any use
    is_shown: bool = False  # some request carried it
    is_of_use: bool = False  # some answer to it was not a refusal


def _afresh(error: E) -> E:
    """Return a copy of *error*, without its traceback, which holds the response. A mock's complaint stays as it is."""
    return error if isinstance(error, AssertionError) else copy(error)


class TokenSource:
    """
    The access token of a client, fetched as rarely as possible.

    What `get` does depends on the token held:

    | the token held is  | `get`                                                                 |
    | ------------------ | --------------------------------------------------------------------- |
    | in its first part  | returns it                                                            |
    | in its last part   | returns it, and starts one background fetch (at most one per 5 s)     |
    | at its end, or none| waits for the one fetch under way, or starts it                       |
    | none, and refused  | fails at once, for 30 s after the refusal                             |
    | none, and paused   | by a Retry-After: waits for its end, or fails at once if it cannot    |

    `at_hand` is for a request that goes out now, and does not wait. `replace` is for a token that the API
    refused: the first caller fetches, the others share the outcome. Where clients share a store, a token
    that another of them has fetched is taken from there.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        asked: Mapping[str, Any],
        runtime: Runtime,
        timeout: float | None,
        retry: RetryPolicy,
        store: TokenStore | None = None,
        redactor: Redactor | None = None,
    ) -> None:
        self._fetch = fetch
        self._asked = asked
        self._runtime = runtime
        self._timeout = _USUAL_TIMEOUT if timeout is None else timeout
        self._retry = retry
        self._store = CarefulStore(store, self._timeout)
        self._redactor = redactor or Redactor()
        self._held: _Held | None = None
        self._flights: dict[asyncio.AbstractEventLoop, Flight] = {}  # a thread's loop has its own
        self._tasks: dict[asyncio.Task[None], Flight] = {}
        self._pause = Pause(retry, runtime)
        self._pausing: set[asyncio.Task[None]] = set()  # of all that share the store
        self._replaced: Token | None = None  # the last one that the API refused
        self._next_background = -math.inf
        self._next_replacement = -math.inf

    async def get(self, deadline: float) -> Grant:
        """
        Return a token that has not ended; wait for one until *deadline* if there is none.

        Raises the error of the fetch that was waited for, each caller a copy of its own.
        """
        held = self._good()
        if held is None:
            return await self._join(deadline)
        self._refresh_ahead(held)
        return Grant(token=held.token, fresh=False)

    def at_hand(self) -> Token | None:
        """
        Return the token for a request that goes out now, or None if another must be waited for.

        A token that no request has carried yet is returned even if it has ended: where lives are shorter than the
        wait in line, no request would ever go out otherwise.
        """
        held = self._held
        if held is None or (held.is_shown and self._good() is None):
            return None
        held.is_shown = True
        self._refresh_ahead(held)
        return held.token

    async def replace(self, refused: Token, deadline: float, *, fresh: bool = False) -> Grant | None:
        """
        Return another token than *refused*, or None if replacing has just been of no use, or may yet prove so.

        One that was *fresh* to its caller is not replaced before it has been of use to anyone.
        """
        held = self._good()
        if held is not None:  # else a new one is due anyway
            if held.token.access_token != refused.access_token:
                return Grant(token=held.token, fresh=False)
            if fresh and not held.is_of_use:
                return None
            if self._runtime.clock() < max(held.replaceable_at, self._next_replacement):
                return None
        grant = await self._join(deadline, refused)
        return None if grant.token.access_token == refused.access_token else grant

    def was_of_use(self, token: Token) -> None:
        """
        Record that the API did not refuse *token*: if it does so later, the token was revoked or has ended.
        """
        held = self._good(token)
        if held is not None:
            held.is_of_use = True

    def judge_replacement(self, token: Token, *, helped: bool) -> None:
        """
        Record whether the API accepted *token*, a replacement. If not, replace nothing for 60 s.

        All that share the store replace nothing then.
        """
        held, now = self._good(token), self._runtime.clock()
        if held is None:
            return
        if helped:
            held.replaceable_at = -math.inf  # it may itself be replaced if it is refused later
            return
        is_news = now >= self._next_replacement
        self._next_replacement = now + _REPLACEMENT_PAUSE
        if is_news:
            pausing = asyncio.create_task(self._store.pause(_REPLACEMENT_PAUSE))  # the caller need not wait for that
            self._pausing.add(pausing)
            pausing.add_done_callback(self._pausing.discard)

    async def aclose(self) -> None:
        """
        End the fetch that is under way; in another thread's loop, soon. A token that came is still saved.
        """
        loop = asyncio.get_running_loop()
        here = {task for task in self._pausing if task.get_loop() is loop}
        for task, flight in list(self._tasks.items()):
            if flight.loop is loop:
                here.add(task)
                self._end(task, flight)
            elif flight.loop.is_running():
                with suppress(RuntimeError):  # it has just been closed
                    flight.loop.call_soon_threadsafe(self._end, task, flight)
        if here:
            await asyncio.wait(here)  # no longer than a store may take

    def _end(self, task: asyncio.Task[None], flight: Flight) -> None:
        if self._flights.get(flight.loop) is flight and not task.cancelling():  # else only the store is left
            task.cancel()

    def _good(self, token: Token | None = None) -> _Held | None:
        """
        Return what is held, if it has not ended, and is *token* if that is given.
        """
        held = self._held
        if held is None or self._runtime.clock() >= held.ends_at:
            return None
        if token is None or token is held.token or token.access_token == held.token.access_token:
            return held
        return None

    def _refresh_ahead(self, held: _Held) -> None:
        """
        Start a background fetch if *held* is in its last part, and nothing speaks against it.
        """
        now = self._runtime.clock()
        if now < max(held.refresh_at, self._next_background) or self._under_way() is not None:
            return
        if not self._pause.left():
            self._next_background = now + _BACKGROUND_PAUSE
            self._start(background=True)

    def _under_way(self) -> Flight | None:
        flight = self._flights.get(asyncio.get_running_loop())
        return None if flight is None or flight.is_over else flight

    async def _join(self, deadline: float, refused: Token | None = None) -> Grant:
        while True:
            self._pause.check(deadline)
            flight = self._under_way() or self._start(background=False, refused=refused)
            outcome = await flight.wait(deadline)
            if isinstance(outcome, Grant):
                return outcome
            if outcome is not None:
                raise _afresh(outcome)

    def _start(self, *, background: bool, refused: Token | None = None) -> Flight:
        for task, ended in list(self._tasks.items()):
            if ended.loop.is_closed():  # before its fetch could end
                self._flights.pop(ended.loop, None)
                del self._tasks[task]
        clock = self._runtime.clock
        begins_at = clock() + self._pause.left()
        flight = Flight(clock, begins_at=begins_at, seconds=self._timeout, background=background)
        self._flights[flight.loop] = flight
        task = asyncio.create_task(self._fly(flight, refused))
        self._tasks[task] = flight
        task.add_done_callback(self._tasks.pop)
        return flight

    async def _fly(self, flight: Flight, refused: Token | None) -> None:
        cut_short = APIConnectionError("the client or its event loop was closed", **self._asked)
        try:
            with suppress(TimeoutError):
                async with flight.in_time():
                    await self._obtain(flight, refused)
        finally:
            self._land(flight, cut_short)

    def _land(self, flight: Flight, outcome: Outcome) -> None:
        if self._flights.get(flight.loop) is flight:  # else it has landed already, or was over
            del self._flights[flight.loop]
            flight.land(outcome)

    async def _obtain(self, flight: Flight, refused: Token | None) -> None:
        """
        Land *flight* with what comes of the store or the endpoint; nobody waits for the store after that.
        """
        clock = self._runtime.clock
        attempts = await self._pause.over()
        async with self._store.turn(lambda found: self._is_news(found, refused)) as found:
            if found is not None:
                self._keep(found, clock(), "loaded", refused)
                self._land(flight, Grant(token=found, fresh=False))
                return
            if refused is not None and self._good(refused) and (paused := await self._store.paused()) > 0:
                self._next_replacement = clock() + paused
                self._land(flight, Grant(token=refused, fresh=False))  # there is no other
                return
            limits = attrs.evolve(self._retry, attempts=attempts, max_retry_after=_NO_WAIT)
            policy = NO_RETRIES if flight.background else limits
            try:
                with observe_fetch():
                    token, sent_at = await self._fetch(policy=policy, deadline=flight.deadline)
            except (UserGroupsError, AssertionError) as error:  # the latter is the complaint of a mock
                made = getattr(error, "attempts", None) or 1
                left = self._retry.attempts if flight.background else attempts - made
                again = self._pause.begin(error, left) or flight.background
                self._land(flight, None if again else _afresh(error))
                return
            self._keep(token, sent_at, "fetched", refused)
            self._land(flight, Grant(token=token, fresh=True))
            life_left = sent_at + token.expires_in - clock()
            if life_left > 0:
                await self._store.save(attrs.evolve(token, expires_in=life_left))

    def _is_news(self, found: Token, refused: Token | None) -> bool:
        """
        Return whether *found*, the store's token, is unknown, and newer than the one held.

        What outlasts that is newer. In the place of a *refused* token, any other is taken.
        """
        held = self._held
        if any(old is not None and old.access_token == found.access_token for old in (refused, self._replaced)):
            return False
        if held is None:
            return True
        outlasts = self._runtime.clock() + found.expires_in > held.ends_at
        return (outlasts or refused is not None) and found.access_token != held.token.access_token

    def _keep(self, token: Token, since: float, how: str, refused: Token | None) -> None:
        self._redactor.learn(hide(token.access_token))
        life = token.expires_in
        ends_at = since + life - min(_LONGEST_MARGIN, life * _MARGIN)
        ahead = min(_LONGEST_AHEAD, life * _AHEAD)
        refresh_at = math.inf if life < _SHORTEST_AHEAD else ends_at - ahead
        replaceable_at = -math.inf
        if refused is not None:
            self._replaced = refused
            replaceable_at = self._runtime.clock() + _REPLACEMENT_PAUSE
        self._held = _Held(token, refresh_at, ends_at, replaceable_at)
        self._pause.end()
        _log.debug("access token %s; it lives %.0f s", how, life)
