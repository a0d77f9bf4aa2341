"""The clients of a command, with its options."""

from usergroups import M3terClient, SmartPMClient

from .options import AskOptions


def m3ter_client(options: AskOptions) -> M3terClient:
    """
    Return a client of m3ter.
    """
    return M3terClient(timeout=options.timeout, max_in_flight=options.concurrency, max_rate=options.max_rate)


def smartpm_client(options: AskOptions) -> SmartPMClient:
    """
    Return a client of SmartPM, whose limit is not documented.
    """
    return SmartPMClient(timeout=options.timeout, max_in_flight=options.concurrency, max_rate=options.max_rate)
