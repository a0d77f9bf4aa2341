"""
Measure, print the figures, and write docs/benchmarks.md and docs/benchmarks.svg.

    python -m benchmarks            all of it, up to eight minutes
    python -m benchmarks --quick    less of everything, about three minutes
    python -m benchmarks --smoke    this SDK alone for a moment: whether the benchmarks still run
"""

import argparse
import sys
import time
from pathlib import Path

import attrs

from benchmarks import chart, machine, report
from benchmarks.alone import here
from benchmarks.peers import PEERS
from benchmarks.processes import ROOT, alone
from benchmarks.results import SPEED, Scale, measure_all
from benchmarks.rounds import Plan

_ALL = tuple(PEERS)
_FULL = Scale(plan=Plan(peers=_ALL, callers=(10, 100, 500), rounds=3, pairs=5, seconds=1.0, warm_up=0.3))
_QUICK = Scale(
    plan=Plan(peers=_ALL, callers=(10, 100, 500), rounds=1, pairs=1, seconds=0.6, warm_up=0.3),
    limit_seconds=0.5,
    profile_times=8,
    listings=((0.05, 0.05),),
    sweep_users=2_000,
    group_times=3,
    body_times=1,
    starts=3,
    items=100_000,
)
_SMOKE = Scale(
    plan=Plan(peers=("usergroups",), callers=(4,), rounds=1, pairs=1, seconds=0.05, warm_up=0.01),
    limit_seconds=0.05,
    profile_calls=20,
    profile_times=1,
    pages=3,
    listings=((0.01, 0.01),),
    sweep_users=20,
    group_users=50,
    group_times=1,
    body_size=64 * 1024,
    body_times=1,
    parsers=(SPEED,),
    starts=0,
    items=2_000,
)


def main() -> int:
    """
    Run what the command line asks for. Benchmarks neither pass nor fail.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the SDK beside its peers.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="less of everything: about three minutes")
    size.add_argument("--smoke", action="store_true", help="this SDK alone, for a moment")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of all clients")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="for the order of the clients (default: 0)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", metavar="FOLDER", help="(default: docs)")
    arguments = parser.parse_args()
    scale = _SMOKE if arguments.smoke else _QUICK if arguments.quick else _FULL
    rounds = scale.plan.rounds if arguments.rounds is None else arguments.rounds
    scale = attrs.evolve(scale, plan=attrs.evolve(scale.plan, rounds=rounds, seed=arguments.seed))
    busy, begin = machine.load(), time.perf_counter()
    run = here if arguments.smoke else alone
    results = measure_all(scale, run, _tell)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "benchmarks.svg").write_text(chart.picture(results), encoding="utf-8")
    path = report.write(results, arguments.out, "benchmarks.svg", busy)
    print(path.read_text(encoding="utf-8"))
    _tell(f"it took {time.perf_counter() - begin:.0f} s")
    return 0


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
