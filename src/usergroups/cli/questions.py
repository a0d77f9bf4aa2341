"""What the commands ask: the groups of a user, and a group with its users."""

from collections.abc import Sequence

from usergroups import AsyncPager, M3terClient, SmartPMClient
from usergroups.m3ter import MAX_RATE, UserGroup

from .asking import Question, answer
from .options import Options
from .rows import Record
from .settings import settings


def ask_m3ter(user_ids: Sequence[str], options: Options, *, inherited: bool, page_size: int | None) -> int:
    """
    Ask for the groups of users, write them, and return the exit status.
    """
    with settings("m3ter", options):
        client = M3terClient(
            timeout=options.timeout,
            max_in_flight=options.concurrency,
            max_rate=MAX_RATE if options.max_rate is None else options.max_rate,
        )

        def listing(user_id: str) -> AsyncPager[UserGroup]:
            return client.list_user_groups(user_id, inherited=inherited or None, page_size=page_size)

        async def ask(user_id: str) -> Record:
            groups = await listing(user_id).collect()
            rows = [[user_id, group.id, group.name or "", ""] for group in groups]
            document = {"user_id": user_id, "groups": [group.to_dict() for group in groups]}
            return Record(document, rows or [[user_id, "", "", ""]])

        listing("-")  # raises for a bad page size before anybody is asked
        return answer(Question("m3ter", ("user_id", "group_id", "group_name", "error"), client, ask), user_ids, options)


def ask_smartpm(group_ids: Sequence[str], options: Options) -> int:
    """
    Ask for groups with their users, write them, and return the exit status.
    """
    with settings("smartpm", options):
        client = SmartPMClient(timeout=options.timeout, max_in_flight=options.concurrency, max_rate=options.max_rate)

        async def ask(group_id: str) -> Record:
            group = await client.get_user_group(group_id)
            cells = [group_id, group.name or ""]
            rows = [[*cells, str(user.id), user.email, ""] for user in group.users]
            return Record({"group_id": group_id, "group": group.to_dict()}, rows or [[*cells, "", "", ""]])

        columns = "group_id", "group_name", "user_id", "user_email", "error"
        return answer(Question("smartpm", columns, client, ask), group_ids, options)
