"""A fleet: several processes that share one token by a Redis server, and may die over it."""

from rig.redis import needs_redis
from storms.fleet_tokens import Summary, TokenFleet, burst, burst_with_a_death, steady
from usergroups.sandbox import Sandbox

pytestmark = needs_redis


def served(summaries: list[Summary], calls: int) -> bool:
    """Return whether each process had an answer to each of its calls: the three groups of a user."""
    return all(summary.outcomes == {"3": calls} for summary in summaries)


def test_first_calls_need_one_token() -> None:
    """Four processes make many first calls at once: one of them fetches a token, and the others load it."""
    with TokenFleet(Sandbox(), processes=4) as fleet:
        summaries = burst(fleet, 50)

    assert served(summaries, 50)
    assert fleet.counts.token_requests == 1
    assert [summary.said for summary in summaries] == [[]] * 4


def test_death_of_the_one_that_fetches() -> None:
    """Another fetches a token, once the lock of the dead one has expired, and no call is lost."""
    with TokenFleet(Sandbox(latency=0.5), processes=4) as fleet:
        summaries, _ = burst_with_a_death(fleet, 16)

    assert served(summaries, 16)
    assert fleet.counts.token_requests == 2
    assert [summary.said for summary in summaries] == [[]] * 3


def test_refused_token_is_replaced_once() -> None:
    """The token is revoked while all processes call: one of them replaces it, and no call fails."""
    sandbox = Sandbox()
    with TokenFleet(sandbox, processes=4) as fleet:

        def revoke() -> None:
            fleet.until(lambda counts: counts.pages >= 50)
            sandbox.revoke_tokens()
            fleet.until(lambda counts: counts.pages >= 150)

        summaries = steady(fleet, revoke)

    assert [set(summary.outcomes) for summary in summaries] == [{"3"}] * 4
    assert fleet.counts.token_requests == 2
