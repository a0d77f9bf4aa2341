"""What an error says, without how often it was tried."""

from usergroups.errors import UserGroupsError


def sentence(error: BaseException | None) -> str:
    """
    Return the text of *error* without its final parenthesis, which must say what the error's attributes say.
    """
    text = str(error)
    assert isinstance(error, UserGroupsError), text
    facts = []
    if error.attempts is not None:
        assert error.elapsed is not None
        facts.append(f"{error.attempts} attempt{'s' * (error.attempts > 1)} in {error.elapsed:.1f} s")
    if error.request_id is not None:
        facts.append(f"request id {error.request_id}")
    ending = f" ({', '.join(facts)})" if facts else ""
    assert text.endswith(ending), text
    return text.removesuffix(ending)
