"""The JSON that the server answers with: pages of m3ter's user groups, and a SmartPM group."""

import json
from uuid import UUID

GROUPS = 3  # user groups in an answer, where nothing else is said

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
    return json.dumps(
        {
            "id": "550e8400-e29b-41d4-a716-446655440000",
            "name": "Everybody",
            "users": [
                {
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
                for number in range(users)
            ],
        }
    ).encode()
