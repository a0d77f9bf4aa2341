"""
Write docs/reliability.md: each row of docs/faults.md, the tests that are named after it, and what came of them.

`make reliability` runs those tests, and nothing else. The exit status is 1 if any of them failed.
"""

import ast
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import attrs
import pytest

ROOT = Path(__file__).parents[1]
FAULTS = ROOT / "docs" / "faults.md"
PAGE = ROOT / "docs" / "reliability.md"
TESTS = ROOT / "tests"

_ROW = re.compile(r"^\| (\d+) \| (.+) \| (.+) \|$")
_TEST = re.compile(r"test((?:_f\d+)+)_\w+")
_TRANSPORTS = ("httpcore", "aiohttp")
_HEAD = """\
# Reliability

What goes wrong between a client and a server ([the fault table](faults.md)), the tests that show what this SDK does
about it, and what came of them. Written by `make reliability`, which runs the tests: not to be edited. What is about
the wire is tested over real sockets, and nearly all of it on both transports; after each test, the client and the
server are searched for tasks, sockets and places that are left, and all that was logged or raised for secrets.

"""
_COLUMNS = ("| # | fault | required | shown by | result |", "| --- | --- | --- | --- | --- |")


@attrs.frozen
class Row:
    """
    A row of the fault table, and the heading that it stands under.
    """

    number: int
    fault: str
    required: str
    heading: str


@attrs.frozen
class RowTest:
    """
    A test function, and the rows that it is named after.
    """

    name: str
    path: Path
    rows: frozenset[int]


@attrs.define
class Result:
    """
    What came of a test: how many of its cases passed, on which transports, and why the others did not.
    """

    passed: int = 0
    transports: set[str] = attrs.field(factory=set[str])
    against: list[str] = attrs.field(factory=list[str])


def rows() -> list[Row]:
    """
    Read the fault table.
    """
    found, heading = [], ""
    for line in FAULTS.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif match := _ROW.match(line):
            found.append(Row(int(match[1]), match[2], match[3], heading))
    return found


@cache
def row_tests() -> list[RowTest]:
    """
    Find the tests that are named after rows, in the order in which they stand.
    """
    return [
        RowTest(node.name, path, frozenset(map(int, match[1].split("_f")[1:])))
        for path in sorted(TESTS.rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (match := _TEST.fullmatch(node.name))
    ]


class Recorder:
    """
    A plugin of pytest that runs only the tests named after rows, and keeps what came of them.
    """

    def __init__(self) -> None:
        self.results: dict[RowTest, Result] = {}
        self._of: dict[str, tuple[RowTest, str]] = {}  # a test and its case, by its node's id
        self._tests = {(test.path, test.name): test for test in row_tests()}

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """
        Leave out all other tests.
        """
        others = []
        for item in list(items):
            test = self._tests.get((item.path, getattr(item, "originalname", item.name)))
            if test is not None:
                case = item.callspec.id if hasattr(item, "callspec") else ""
                self._of[item.nodeid] = test, case
                self.results[test] = Result()
            else:
                others.append(item)
                items.remove(item)
        config.hook.pytest_deselected(items=others)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """
        Take note of what came of a part of a test.
        """
        test, case = self._of[report.nodeid]
        result = self.results[test]
        reason = getattr(report, "wasxfail", "")
        if report.failed:
            result.against.append(f"{report.when} failed{f' ({case})' if case else ''}")
        elif report.skipped:
            result.against.append(reason or f"skipped: {report.longrepr[2] if report.longrepr else ''}")
        elif report.when == "call":
            result.passed += 1
            result.transports.update(kind for kind in _TRANSPORTS if kind in case.split("-"))


def page(of: Mapping[RowTest, Result]) -> str:
    """
    Return the page for the results *of* tests.
    """
    found = row_tests()
    by_row = {row.number: [test for test in found if row.number in test.rows] for row in rows()}
    met = sum(not _against(by_row[row.number], of) for row in rows())
    lines = [f"**{met} of {len(by_row)} rows are met.**"]
    heading = ""
    for row in rows():
        if row.heading != heading:
            heading = row.heading
            lines += ["", f"## {heading}", "", *_COLUMNS]
        lines.append(_line(row, by_row[row.number], of))
    return _HEAD + "\n".join(lines) + "\n"


def _line(row: Row, shown_by: list[RowTest], of: Mapping[RowTest, Result]) -> str:
    links = "<br>".join(f"[{one.name}](../{one.path.relative_to(ROOT).as_posix()})" for one in shown_by)
    against = _against(shown_by, of)
    result = f"not met: {against}" if against else _met([of[one] for one in shown_by])
    return f"| {row.number} | {row.fault} | {row.required} | {links} | {result} |"


def _met(results: list[Result]) -> str:
    cases = sum(result.passed for result in results)
    kinds = [kind for kind in _TRANSPORTS if any(kind in result.transports for result in results)]
    where = f", on {' and '.join(kinds)}" if kinds else ""
    return f"met: {cases} case{'s' * (cases != 1)}{where}"


def _against(shown_by: Iterable[RowTest], of: Mapping[RowTest, Result]) -> str:
    """
    Say why a row is not met, or nothing.
    """
    reasons = [reason for one in shown_by for reason in of.get(one, Result(against=["not run"])).against]
    if not reasons and not any(of[one].passed for one in shown_by):
        return "no test shows it"
    return "; ".join(dict.fromkeys(reasons)).replace("|", "/").replace("\n", " ")


def main() -> int:
    """
    Run the tests and write the page.
    """
    recorder = Recorder()
    files = dict.fromkeys(str(test.path) for test in row_tests())
    status = pytest.main(["-q", "--no-header", "--tb=short", "--show-capture=no", *files], plugins=[recorder])
    text = page(recorder.results)
    PAGE.write_text(text, encoding="utf-8")
    told = next(line for line in text.splitlines() if line.startswith("**"))
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {told.strip('*')}\n")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
