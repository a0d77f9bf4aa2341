"""Print the users of one SmartPM group: `python examples/group_members.py 550e8400-e29b-41d4-a716-446655440000`."""

import asyncio
import sys

from usergroups import InvalidArgumentError, NotFoundError, SmartPMClient, UserGroupsError


async def main(user_group_id: str) -> int:
    """Print a line for each user, and return the exit status."""
    async with SmartPMClient() as smartpm:
        try:
            group = await smartpm.get_user_group(user_group_id)
        except (InvalidArgumentError, NotFoundError) as error:
            print(f"{user_group_id}: {error.message}", file=sys.stderr)
            return 1
        except UserGroupsError as error:
            print(error, file=sys.stderr)
            return 1
    for user in group.users:
        print(user.email, user.role or "-", user.last_login or "never logged in")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
