"""docs/reliability.md: it lists every row of the fault table, and the tests that there are."""

import re

import pytest

import reliability

PAGE = reliability.PAGE.read_text(encoding="utf-8")
LINES = {int(line.split(" | ")[0].strip("| ")): line for line in PAGE.splitlines() if re.match(r"\| \d+ \|", line)}


def test_every_row_is_listed_as_it_stands_in_the_table() -> None:
    """The page has a line for each row of the fault table, in its words, and no other."""
    rows = reliability.rows()

    assert list(LINES) == [row.number for row in rows]
    for row in rows:
        assert LINES[row.number].startswith(f"| {row.number} | {row.fault} | {row.required} | ")


@pytest.mark.parametrize("number", LINES)
def test_row_names_the_tests_that_there_are(number: int) -> None:
    """Each row names the tests that are named after it, by the files that they are in: `make reliability` writes it."""
    links = re.findall(r"\[(\w+)\]\(\.\./([^)]+)\)", LINES[number])

    assert links == [
        (test.name, test.path.relative_to(reliability.ROOT).as_posix())
        for test in reliability.row_tests()
        if number in test.rows
    ]


def test_tests_are_named_after_rows_that_there_are() -> None:
    """No test is named after a row that the fault table does not have, and no two of a file have one name."""
    tests = reliability.row_tests()

    assert {row for test in tests for row in test.rows} <= set(LINES)
    assert len({(test.path, test.name) for test in tests}) == len(tests)


def test_sum_is_right() -> None:
    """The page says how many rows are met, out of how many."""
    met = sum(" | met: " in line for line in LINES.values())

    assert f"**{met} of {len(LINES)} rows are met.**" in PAGE


def test_row_that_is_not_met_says_why() -> None:
    """A result is "met" with the number of cases, or "not met" with the reason."""
    for line in LINES.values():
        assert re.search(r"\| (met: \d+ cases?(, on (httpcore|aiohttp|httpcore and aiohttp))?|not met: .+) \|$", line)
