"""Both rounds as a picture: for each number of callers, two bars per client, written as SVG by hand."""

from collections.abc import Iterator
from html import escape

from benchmarks.earlier import FIRST_ROUND
from benchmarks.goals import rate
from benchmarks.peers import BASE, OURS, PEERS
from benchmarks.results import Results
from benchmarks.rounds import ratio

_WIDTH = 860  # all lengths are in pixels
_NAMES = 270  # from the left edge to where bars begin
_LONGEST_BAR = 480
_BAR = 11
_STEP = 30  # from one client to the next
_PANEL_HEAD = 38
_TOP = 68
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#24292f}.head{font-weight:600;font-size:14px}"
    ".title{font-weight:600;font-size:16px}.figure{font-size:11px}.name{text-anchor:end}"
    ".then{fill:#d8dee4}.now{fill:#8c959f}.ours.then{fill:#a5cdf7}.ours.now{fill:#0969da}"
)


def picture(results: Results) -> str:
    """
    Return the SVG document: requests per second as a multiple of httpx's, in the first round and now.
    """
    plan = results.scale.plan
    panel = _PANEL_HEAD + len(plan.peers) * _STEP
    height = _TOP + len(plan.callers) * panel + 16
    title = "Requests per second, as a multiple of httpx's in the same run: longer is better"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
        f' viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{title}">',
        f"<style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text class="title" x="16" y="28">{title}</text>',
        f'<text x="16" y="50">Pale: the first round ({FIRST_ROUND["commit"]}, on another day). Full: now.'
        " Only ratios can be compared between runs.</text>",
    ]
    for index, callers in enumerate(plan.callers):
        lines += _panel(results, callers, _TOP + index * panel)
    return "\n".join([*lines, "</svg>", ""])


def _panel(results: Results, callers: int, top: int) -> Iterator[str]:
    peers = results.scale.plan.peers
    earlier = FIRST_ROUND["cells"].get(str(callers), {})
    then: dict[str, float] = {peer: earlier[peer]["rate_to_httpx"] for peer in peers if peer in earlier}
    now = {peer: ratio(results.cells, rate, callers, peer, BASE) or 0.0 for peer in peers}
    scale = _LONGEST_BAR / max(*now.values(), *then.values(), 1.0)
    yield f'<text class="head" x="16" y="{top + 22}">{callers} callers</text>'
    for index, peer in enumerate(sorted(peers, key=lambda peer: now[peer])):
        y = top + _PANEL_HEAD + index * _STEP
        name = escape(PEERS[peer].title.replace("`", "").replace("*", ""))
        yield f'<text class="name" x="{_NAMES - 8}" y="{y + 15}">{name}</text>'
        whose = "ours " if peer in OURS else ""
        for kind, figure, y_bar in (("then", then.get(peer), y), ("now", now[peer], y + _BAR + 1)):
            if figure is not None:
                length = max(figure * scale, 1.0)
                yield (
                    f'<rect class="{whose}{kind}" x="{_NAMES}" y="{y_bar}" width="{length:.1f}" height="{_BAR}"'
                    ' rx="2"/>'
                )
                yield f'<text class="figure" x="{_NAMES + length + 6:.1f}" y="{y_bar + 9}">{figure:.2f}</text>'
