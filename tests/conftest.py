"""What all tests share: an environment without settings of ours, and the rig's fixtures."""

from rig.fixtures import clean_environment, clock, make_m3ter, make_server, make_smartpm, server, watch

__all__ = ["clean_environment", "clock", "make_m3ter", "make_server", "make_smartpm", "server", "watch"]
