"""Tests of what extras bring."""

from extras.shell import server

__all__ = ["server"]
