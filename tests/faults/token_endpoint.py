"""m3ter's token endpoint and one list behind it, as the tests of a token's life script and read them."""

from collections.abc import Callable

from rig.script import Script, answer, json_answer, token_answer
from rig.server import FaultServer, Request
from usergroups import M3terClient

TOKEN = "/oauth/token"
LIST = "/organizations/*"
PAGE = json_answer({"data": [{"id": "group-1"}]})
DOWN = answer(b"", 503)
WRONG = json_answer({"message": "The access token is not accepted"}, 401)
FORBIDDEN = json_answer({"message": "Not allowed"}, 403)

Answer = Callable[[Request, int], Script]


def token(number: int) -> str:
    """Return the token that the endpoint hands out as its *number*th."""
    return f"CANARY-token-{number}"


def good_tokens(expires_in: object = 18_000) -> Answer:
    """Hand out one token after another, each for *expires_in* seconds."""
    return lambda request, n: token_answer(token(n), expires_in)


def bearer(request: Request) -> str:
    """Return the token that *request* presents."""
    scheme, _, presented = (request.header("authorization") or "").partition(" ")
    assert scheme == "Bearer"
    return presented


def presented(server: FaultServer) -> list[str]:
    """Return the tokens that the requests for the list presented, in order."""
    return [bearer(request) for request in server.asked(LIST)]


def only_with(*good: str, refusal: bytes = WRONG) -> Answer:
    """Return the list to whoever presents a *good* token, else *refusal*."""
    return lambda request, n: PAGE if bearer(request) in good else refusal


async def listed(client: M3terClient, user_id: str = "user-1", **options: float) -> list[str]:
    """Return the ids of the groups of *user_id*."""
    return [group.id for group in await client.list_user_groups(user_id, **options).collect()]
