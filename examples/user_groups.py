"""Print the m3ter user groups of one user: `python examples/user_groups.py grace`."""

import asyncio
import sys

from usergroups import M3terClient, NotFoundError, UserGroupsError


async def main(user_id: str) -> int:
    """Print a line for each group, and return the exit status."""
    async with M3terClient() as m3ter:
        try:
            async for group in m3ter.list_user_groups(user_id, inherited=True):
                print(group.id, group.name)
        except NotFoundError:
            print(f"{user_id} is unknown", file=sys.stderr)
            return 1
        except UserGroupsError as error:
            print(error, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
