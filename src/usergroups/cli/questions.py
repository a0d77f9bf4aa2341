"""What the commands ask: the groups of a user, and a group with its users."""

from collections.abc import Sequence

from usergroups import AsyncPager
from usergroups.m3ter import UserGroup

from .asking import Question, answer
from .clients import m3ter_client, smartpm_client
from .options import IdOptions
from .rows import Record
from .settings import settings, told_as_settings


def ask_m3ter(user_ids: Sequence[str], options: IdOptions, *, inherited: bool, page_size: int | None) -> int:
    """
    Ask for the groups of users, write them, and return the exit status.
    """
    with settings(["m3ter"], options), told_as_settings("m3ter"):
        client = m3ter_client(options)

        def listing(user_id: str) -> AsyncPager[UserGroup]:
            return client.list_user_groups(user_id, inherited=inherited or None, page_size=page_size)

        async def ask(user_id: str) -> Record:
            groups = await listing(user_id).collect()
            rows = [[user_id, group.id, group.name or "", ""] for group in groups]
            document = {"user_id": user_id, "groups": [group.to_dict() for group in groups]}
            return Record(document, rows or [[user_id, "", "", ""]])

        listing("-")  # raises for a bad page size before anybody is asked
        return answer(Question("m3ter", ("user_id", "group_id", "group_name", "error"), client, ask), user_ids, options)


def ask_smartpm(group_ids: Sequence[str], options: IdOptions) -> int:
    """
    Ask for groups with their users, write them, and return the exit status.
    """
    with settings(["smartpm"], options), told_as_settings("smartpm"):
        client = smartpm_client(options)

        async def ask(group_id: str) -> Record:
            group = await client.get_user_group(group_id)
            cells = [group_id, group.name or ""]
            rows = [[*cells, str(user.id), user.email, ""] for user in group.users]
            return Record({"group_id": group_id, "group": group.to_dict()}, rows or [[*cells, "", "", ""]])

        columns = "group_id", "group_name", "user_id", "user_email", "error"
        return answer(Question("smartpm", columns, client, ask), group_ids, options)
