"""The run as a picture: for each number of callers, a bar per client, written as SVG by hand."""

from collections.abc import Iterator
from html import escape

from benchmarks.peers import OURS, PEERS
from benchmarks.results import Results
from benchmarks.rounds import middle

_WIDTH = 860  # all lengths are in pixels
_NAMES = 270  # from the left edge to where bars begin
_LONGEST_BAR = 480
_BAR = 16
_STEP = 22
_PANEL_HEAD = 38
_TOP = 44
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600;font-size:14px}"
    ".title{font-weight:600;font-size:16px}.bar{fill:#afb8c1}.ours{fill:#0969da}.name{text-anchor:end}"
)


def picture(results: Results) -> str:
    """
    Return the SVG document: requests per second, longer is better.
    """
    callers = results.scale.plan.callers
    height = _TOP + len(callers) * (_PANEL_HEAD + len(results.scale.plan.peers) * _STEP) + 16
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Requests per second of each client">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        '<text class="title" x="16" y="28">Requests per second: longer is better</text>',
    ]
    top = _TOP
    for number in callers:
        lines += _panel(results, number, top)
        top += _PANEL_HEAD + len(results.scale.plan.peers) * _STEP
    return "\n".join([*lines, "</svg>", ""])


def _panel(results: Results, callers: int, top: int) -> Iterator[str]:
    rates = {peer: middle(results.cells[peer, callers]).rate for peer in results.scale.plan.peers}
    scale = _LONGEST_BAR / max(*rates.values(), 1.0)
    yield f'<text class="head" x="16" y="{top + 22}">{callers} callers</text>'
    for index, (peer, rate) in enumerate(sorted(rates.items(), key=lambda pair: pair[1])):
        y = top + _PANEL_HEAD + index * _STEP
        name = escape(PEERS[peer].title.replace("`", "").replace("*", ""))
        kind = "ours" if peer in OURS else "bar"
        length = max(rate * scale, 1.0)
        yield f'<text class="name" x="{_NAMES - 8}" y="{y + 12}">{name}</text>'
        yield f'<rect class="{kind}" x="{_NAMES}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
        yield f'<text x="{_NAMES + length + 6:.1f}" y="{y + 12}">{rate:,.0f}</text>'
