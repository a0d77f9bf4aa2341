"""The commands: what each asks, and how that is spelt on a command line."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from usergroups._version import __version__

from .options import CallOptions, DiffOptions, IdOptions, ReviewOptions, System
from .screen import console

_HELP = """
Who is in which user group?

Try:

    usergroups check m3ter
    usergroups m3ter ada grace
    usergroups m3ter --from ids.txt --output groups.csv
    usergroups smartpm --from - --format csv < ids.txt
    usergroups review --output today.csv
    usergroups diff yesterday.csv today.csv

Settings come from the environment, or from a file that --env-file names.
The help of a command lists them, as in: usergroups m3ter --help

usergroups --install-completion lets your shell complete commands and options.

Exit status: 0 if all was answered; 1 if something failed, or the output could
not be written; 2 if the command or a setting is wrong, and nobody was asked;
130 and 143 after Ctrl-C and SIGTERM. That of diff: 0 if there is no difference,
1 if there is one, 2 if the files cannot be compared.
"""


def make_app() -> App:
    """
    Return the command line.
    """
    app = App(
        name="usergroups",
        help=_HELP,
        help_format="plaintext",
        version=__version__,
        console=console(),
        default_parameter=Parameter(show_default=False, negative=""),
    )
    for command in (m3ter, smartpm, review, diff, check):
        app.command(command)
    app.command(sandbox, help_flags=(), version_flags=())
    app.register_install_completion_command(  # pyright: ignore[reportUnknownMemberType]  # its **kwargs
        help="Let your shell complete commands and options."
    )
    return app


def m3ter(
    *user_id: str,
    inherited: bool = False,
    page_size: int | None = None,
    options: IdOptions = IdOptions(),  # noqa: B008  # frozen
) -> int:
    """
    List the user groups that m3ter users are in.

    The environment has M3TER_ORG_ID, M3TER_API_KEY and M3TER_API_SECRET, and may have M3TER_BASE_URL.

    Try:

        usergroups m3ter ada grace --inherited
        usergroups m3ter --from ids.txt -o groups.csv --resume
        cut -d, -f1 users.csv | usergroups m3ter --from - --format jsonl

    Args:
        user_id: Ids of users.
        options: What is asked, how, and where the answers go.
        inherited: List the groups that those are nested in, too.
        page_size: Ask for so many groups at once, 1 to 200.

    """
    from .questions import ask_m3ter

    return ask_m3ter(user_id, options, inherited=inherited, page_size=page_size)


def smartpm(*group_id: str, options: IdOptions = IdOptions()) -> int:  # noqa: B008  # frozen
    """
    List the users of SmartPM user groups.

    The environment has SMARTPM_API_KEY and SMARTPM_COMPANY_ID, and may have SMARTPM_BASE_URL.

    Try:

        usergroups smartpm 550e8400-e29b-41d4-a716-446655440000
        usergroups smartpm --from groups.txt --format csv > users.csv

    Args:
        group_id: Ids of user groups, UUIDs.
        options: What is asked, how, and where the answers go.

    """
    from .questions import ask_smartpm

    return ask_smartpm(group_id, options)


def review(*, options: ReviewOptions = ReviewOptions()) -> int:  # noqa: B008  # frozen
    """
    List every membership: who is in which user group, asked from credentials alone.

    The environment has M3TER_ORG_ID, M3TER_API_KEY and M3TER_API_SECRET,
    SMARTPM_API_KEY and SMARTPM_COMPANY_ID, and may have M3TER_BASE_URL and
    SMARTPM_BASE_URL. With --system, those of one system will do.

    A user in no group, and a group without users, have a row each, too. What
    could not be asked has a row with an error. --format html writes a page for
    a browser (extra: report).

    Try:

        usergroups review --output today.csv
        usergroups review --output today.csv --resume
        usergroups review --system m3ter --by users --format jsonl
        usergroups review -o today.html

    Args:
        options: What is asked, how, and where the answers go.

    """
    from .review import review_all

    return review_all(options)


def diff(old: Path, new: Path, /, *, options: DiffOptions = DiffOptions()) -> int:  # noqa: B008  # frozen
    """
    Say what has changed between two reviews, in CSV or JSON lines.

    A membership was added or removed; or it is changed: inherited now, or not
    any more. What could not be asked in either review is unknown. Another name
    or e-mail address is no change.

    Exit status: 0 if there is no difference, 1 if there is one, 2 if the files
    cannot be compared.

    Args:
        old: A file that "usergroups review" wrote.
        new: Another, which it wrote later.
        options: Where differences go.

    """
    from .diff import compare

    return compare(old, new, options)


def check(system: System | None = None, *, options: CallOptions = CallOptions()) -> int:  # noqa: B008  # frozen
    """
    Say whether calls will work here: settings, address, TLS and credentials. Nothing is changed.

    Args:
        system: The one to check; both where there is none.
        options: How a provider is called.

    """
    from .check import check_all

    return check_all(system, options)


def sandbox(*options: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """
    Serve a stand-in of both providers on this machine: see "usergroups sandbox --help".

    Args:
        options: Those of python -m usergroups.sandbox.

    """
    from usergroups.sandbox.__main__ import main

    return main(options)
