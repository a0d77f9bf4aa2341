"""Tests over real sockets: what each of them leaves behind or lets out is looked for afterwards."""

import pytest

from rig.leaks import Watch


@pytest.fixture(autouse=True)
def leak_check(watch: Watch) -> None:
    """
    Let every test here be watched over.
    """
