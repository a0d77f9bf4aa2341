"""What all tests share: an environment without settings of ours, the rig's fixtures, and the kind of event loops."""

import asyncio

import pytest

from rig.eager import begin_tasks_eagerly
from rig.fixtures import clean_environment, clock, make_m3ter, make_server, make_smartpm, server, watch

__all__ = ["clean_environment", "clock", "make_m3ter", "make_server", "make_smartpm", "server", "watch"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--eager`."""
    parser.addoption("--eager", action="store_true", help="tasks of all event loops begin at once (for Python >= 3.12)")


def pytest_configure(config: pytest.Config) -> None:
    """Let every event loop, also those of `asyncio.run`, begin its tasks eagerly if that was asked for."""
    if config.getoption("--eager"):
        _make_eager()


def _make_eager() -> None:
    class Eager(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            loop = super().new_event_loop()
            begin_tasks_eagerly(loop)
            return loop

    asyncio.set_event_loop_policy(Eager())
