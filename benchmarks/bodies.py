"""The JSON that the server answers with: pages of m3ter's user groups, and SmartPM groups of any kind."""

import json
from uuid import UUID

GROUPS = 3  # user groups in an answer, where nothing else is said

LARGEST = 32 * 2**20  # bytes of a body, the most that the SDK takes
USERS = "users"
ERROR = "an error with users"
COSTLY = ("10 M empty arrays", "9 M zeros", "1 M names", "white space", "one long text")  # made to cost
KINDS = (USERS, ERROR, *COSTLY)

ACCESS_TOKEN = "t" * 600  # as long as m3ter's
TOKEN = json.dumps({"access_token": ACCESS_TOKEN, "expires_in": 18_000, "token_type": "Bearer", "scope": None}).encode()


def page(groups: int = GROUPS, next_token: str | None = None, first: int = 0) -> bytes:
    """
    Return a page of *groups* user groups, numbered from *first*.
    """
    data = [
        {
            "id": str(UUID(int=number)),
            "version": 1 + number % 7,
            "name": f"Group {number}",
            "dtCreated": "2024-03-01T09:30:00.000Z",
            "dtLastModified": "2024-05-17T16:45:12.345Z",
            "createdBy": str(UUID(int=2**64 + number)),
            "lastModifiedBy": str(UUID(int=2**65 + number)),
        }
        for number in range(first, first + groups)
    ]
    return json.dumps({"data": data, "nextToken": next_token}).encode()


def user_group(users: int) -> bytes:
    """
    Return a SmartPM user group with so many *users*.
    """
    return _group(json.dumps([_user(number) for number in range(users)]).encode())


def of_size(kind: str, size: int = LARGEST) -> bytes:
    """
    Return a body of *size* bytes: a SmartPM user group, of one of the `KINDS`.
    """
    share = size / LARGEST
    if kind in (USERS, ERROR):
        message = b'"message": "Too much", ' if kind == ERROR else b""
        return _padded(_group(_users(size - 2 * len(_group(b"[]"))), message), size)
    if kind == "white space":
        return _padded(_group(b"[]"), size)
    if kind == "one long text":
        return _group(b"[]", b'"more": "%s", ' % (b"x" * (size - len(_group(b"[]", b'"more": "", ')))))
    if kind == "1 M names":
        names = b"".join(b'"name-%07d": %d, ' % (number, number % 10) for number in range(int(1e6 * share)))
        return _padded(_group(b"[]", names), size)
    value, times = (b"[],", 10e6) if kind == "10 M empty arrays" else (b"0,", 9e6)
    values = value * int(times * share)
    return _padded(_group(b"[]", b'"more": [' + values[:-1] + b"], "), size)


def _group(users: bytes, more: bytes = b"") -> bytes:
    return b'{%s"id": "550e8400-e29b-41d4-a716-446655440000", "name": "Everybody", "users": %s}' % (more, users)


def _user(number: int) -> dict[str, object]:
    return {
        "id": str(UUID(int=number)),
        "email": f"user-{number}@example.com",
        "firstName": f"First{number}",
        "lastName": f"Last{number}",
        "phoneNumber": "+1 555 0100",
        "title": None if number % 3 else "Engineer",
        "lastLogin": "2024-05-17T16:45:12.345+00:00" if number % 4 else None,
        "loginCount": number % 100,
        "role": "Company Read-Only",
        "ssoUser": bool(number % 2),
        "reportingRestricted": False,
    }


def _users(size: int) -> bytes:
    """
    Return an array of as many users as fit into *size* bytes.
    """
    users: list[bytes] = []
    length = 0
    while length < size:
        users.append(json.dumps(_user(len(users))).encode())
        length += len(users[-1]) + 1
    return b"[" + b",".join(users[:-1]) + b"]"


def _padded(body: bytes, size: int) -> bytes:
    return body[:-1] + b" " * (size - len(body)) + body[-1:]
