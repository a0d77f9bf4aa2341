"""`usergroups review --format html`: one page that says it all, in a browser without a network."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from extras.reviews import memberships, served, small
from extras.shell import CODE
from usergroups import Membership
from usergroups.cli import main
from usergroups.cli.memberships import as_record
from usergroups.cli.report import Html
from usergroups.sandbox import Data, Sandbox, Server, smartpm_user

MARKUP = ["<script>alert(1)</script>", "</script><script>document.title = 'taken'</script>", '"><img src=x onerror=x>']
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_BROWSER = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements, the rows of its tables, and those that are shown of the last one."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.shown: list[list[str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
            self.shown = []
        elif tag == "tr":
            self.tables[-1].append([])
            if ("hidden", "") not in attrs:
                self.shown.append(self.tables[-1][-1])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def one(self, tag: str) -> dict[str, str | None]:
        """Return the attributes of the only element *tag*."""
        [attributes] = [attributes for name, attributes in self.elements if name == tag]
        return attributes


@pytest.fixture
def company(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a sandbox with groups whose names are markup, which the command finds in its environment."""
    data = small()
    groups = [data.add_m3ter_group(name, id=f"markup-{number}") for number, name in enumerate(MARKUP)]
    data.add_m3ter_user("eve", groups, email=MARKUP[0])
    with served(Sandbox(data=data), monkeypatch) as server:
        yield server


def reviewed(path: Path, *arguments: str) -> Page:
    """Write a page to *path*, and return it."""
    main(["review", "-q", "--output", str(path), *arguments])
    return Page(path.read_text(encoding="utf-8"))


def words(text: str) -> str:
    """Return *text* with one space where it has several."""
    return " ".join(text.split())


def test_page_says_when_what_and_how_many(company: Server, tmp_path: Path) -> None:
    """A page names the moment in UTC, the systems, and what there is in them."""
    page = reviewed(tmp_path / "review.html")

    rows = memberships(company.sandbox.data)
    began = datetime.fromisoformat(str(page.one("time")["datetime"]))
    counts = [
        len({row[:1] + row[3:4] for row in rows if row[3]}),
        len({row[:2] for row in rows if row[1]}),
        len([row for row in rows if row[1] and row[3]]),
        0,
    ]
    text = words(page.text)
    assert began.utcoffset() == timedelta()
    assert datetime.now(UTC) - began < timedelta(minutes=1)
    assert began.strftime("Asked on %Y-%m-%d at %H:%M UTC: m3ter and SmartPM") in text
    found = re.search(r"Users (\d+) .*Groups (\d+) .*Memberships (\d+) .*Failures (\d+)", text)
    assert found is not None
    assert [int(count) for count in found.groups()] == counts
    assert "What could not be asked" not in text
    assert list(tmp_path.iterdir()) == [tmp_path / "review.html"]


def test_page_has_every_row(company: Server, tmp_path: Path) -> None:
    """Every membership is in the table, with names, ids and how it came about; and whoever is alone."""
    *_, (header, *rows) = reviewed(tmp_path / "review.html").tables

    said = {tuple(map(words, row)) for row in rows}
    assert header == ["System", "Group", "User", "Access"]
    assert len(rows) == len(memberships(company.sandbox.data))
    assert ("m3ter", 'two "lines" g0', "=ada@example.com =ada", "direct") in said
    assert ("m3ter", "a, b g1", "grace@example.com grace", "inherited") in said
    assert ("m3ter", "in no group", "nobody@example.com nobody", "none") in said
    assert ("m3ter", "Empty g4", "no users", "none") in said
    assert {row[0] for row in said} == {"m3ter", "SmartPM"}


def test_largest_groups_are_bars(company: Server, tmp_path: Path) -> None:
    """The largest groups come first, with a bar as long as they are large."""
    page = reviewed(tmp_path / "review.html", "--system", "m3ter")

    header, *rows = page.tables[0]
    sizes = [int(row[1]) for row in rows]
    widths = [str(attributes["style"]) for _, attributes in page.elements if attributes.get("class") == "bar"]
    assert header[:2] == ["Group", "Members"]
    assert words(rows[0][0]) == "a, b"
    assert sizes == sorted(sizes, reverse=True)
    assert widths == [f"width: {100 * size / sizes[0]:.1f}%" for size in sizes]


def test_failures_stand_out(company: Server, tmp_path: Path) -> None:
    """What could not be asked is a list by itself, and in the table."""
    company.sandbox.data.add_m3ter_item("markup-0", id="<odd>", targetType="ROBOT", targetId="r2")
    company.sandbox.data.add_smartpm_user(smartpm_user("No Id", id=...))

    page = reviewed(tmp_path / "review.html", "--by", "groups")

    text, rows = words(page.text), [tuple(map(words, row)) for row in page.tables[-1]]
    odd, no_id = "it holds an item that is no user and no group: <odd>", "the user has no id, and cannot be asked"
    assert f"m3ter, group {MARKUP[0]} {odd}" in text
    assert f"SmartPM, user no.id@blah.com {no_id}" in text
    assert ("m3ter", f"{MARKUP[0]} markup-0", odd, "unknown") in rows
    assert ("SmartPM", f"{no_id} for groups", "no.id@blah.com", "unknown") in rows


def test_page_of_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is nothing to review, the page says so."""
    with served(Sandbox(data=Data()), monkeypatch):
        page = reviewed(tmp_path / "review.html")

    assert "Users 0" in words(page.text)
    assert "Largest groups" not in page.text
    assert page.tables == [[["System", "Group", "User", "Access"]]]


def test_list_that_failed_is_a_row(company: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that is about no group and no user says which system it is of."""
    monkeypatch.setenv("SMARTPM_API_KEY", "another")

    page = reviewed(tmp_path / "review.html", "--system", "smartpm")

    [_, row] = page.tables[-1]
    assert "Failures 1" in words(page.text)
    assert (row[0], row[2:]) == ("SmartPM", ["", "unknown"])
    assert "check SMARTPM_API_KEY" in row[1]


def test_names_are_text(company: Server, tmp_path: Path) -> None:
    """Whatever a group or an address is called, there is one script, and nothing is asked for from elsewhere."""
    path = tmp_path / "review.html"

    page = reviewed(path)

    tags = [tag for tag, _ in page.elements]
    assert all(name in page.text for name in MARKUP)
    assert (tags.count("script"), tags.count("img")) == (1, 0)
    addresses = [attributes[name] for _, attributes in page.elements for name in ("src", "href") if name in attributes]
    assert addresses == ["data:,"]
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    [policy] = [
        str(each["content"]) for _, each in page.elements if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none';")


def test_page_can_be_used_without_seeing_it(company: Server, tmp_path: Path) -> None:
    """A page has a language, headers, and a label for the filter; it fits a narrow screen, and a dark one."""
    path = tmp_path / "review.html"

    page = reviewed(path)

    attributes = [each for _, each in page.elements]
    headers = [each for tag, each in page.elements if tag == "th"]
    labelled = {each["for"] for tag, each in page.elements if tag == "label"}
    assert page.one("html")["lang"] == "en"
    assert page.one("input")["id"] in labelled
    assert all(each.get("scope") in ("col", "row") for each in headers)
    assert {each["aria-labelledby"] for each in attributes if "aria-labelledby" in each} <= {
        each.get("id") for each in attributes
    }
    assert any(each.get("name") == "viewport" for each in attributes)
    assert "prefers-color-scheme: dark" in path.read_text(encoding="utf-8")


def test_page_goes_to_stdout_too(company: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """`--format html` alone prints the page."""
    status = main(["review", "--format", "html"])

    assert (status, capsys.readouterr().out[:15]) == (0, "<!DOCTYPE html>")


def test_missing_extra_is_named(company: Server, tmp_path: Path) -> None:
    """Without the extra `report` the command says how to install it, and asks nobody."""
    code = CODE.replace("import sys;", "import sys; sys.modules['jinja2'] = None;")
    command = [sys.executable, "-c", code, "review", "-o", str(tmp_path / "review.html")]

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.returncode, company.sandbox.counts.requests) == (2, 0)
    assert run.stderr == (
        "usergroups: a page needs jinja2: install usergroups with its extra 'report'"
        " (pip install '.[report]' in a checkout)\n"
    )
    assert list(tmp_path.iterdir()) == []


# In a browser


def in_browser(path: Path, query: str, profile: Path) -> Page:
    """Return the page as it is once a browser has opened it with *query* in the filter."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
    address = f"{path.as_uri()}#q={query}"
    run = subprocess.run([BROWSER, *options, address], capture_output=True, check=True, timeout=50)
    return Page(run.stdout.decode())


@NEEDS_BROWSER
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", None),
        ("GRACE", {"grace@example.com grace"}),
        ("zoe+a, direct", {"zoe@example.com zoe"}),
        ("%22lines%22", {"=ada@example.com =ada", "grace@example.com grace", '"quoted", too linus'}),
        ("nothing-of-the-kind", set()),
        ("alert(1)", {f"{MARKUP[0]} eve"}),
    ],
    ids=["all", "any case", "two words", "quotes", "nothing", "markup"],
)
def test_filter_shows_the_rows_that_match(company: Server, tmp_path: Path, query: str, found: set[str] | None) -> None:
    """What is typed, or stands in the link, leaves the rows that have all of its words, and says how many."""
    path = tmp_path / "review.html"
    reviewed(path)

    page = in_browser(path, query, tmp_path / "profile")

    _, *shown = page.shown
    total = len(memberships(company.sandbox.data))
    assert f"{len(shown)} of {total} rows" in page.text
    assert {words(row[2]) for row in shown} == found or (found is None and len(shown) == total)
    assert page.text.strip().startswith("Access review, ")  # the title, which a name would have changed


@NEEDS_BROWSER
def test_ten_thousand_rows_are_filtered(tmp_path: Path) -> None:
    """A page of 10,000 rows opens, and is filtered."""
    path, page = tmp_path / "review.html", Html(["m3ter"])
    for number in range(10_000):
        row = Membership(system="m3ter", group_id=f"g{number % 100}", user_id=f"user-{number}", inherited=False)
        page.text(as_record(row))
    path.write_text(page.end(), encoding="utf-8")

    filtered = in_browser(path, "user-777", tmp_path / "profile")

    assert "11 of 10,000 rows" in filtered.text
