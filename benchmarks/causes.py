"""
Why a goal is missed: told where one is, and written by hand.

Whoever changes what a cause is about changes the cause.
"""

from benchmarks.results import ALLOWED

DEFAULT_COST = "httpcore and h11 take most of a call: see the profiles"
DEFAULT_CROWD = "calls stand in line for 16 places, first come, first served, so that each waits as long as all take"
AIOHTTP_COST = (
    "the SDK's own work (token, line, deadline, checks, models) takes nearly as long as aiohttp's; to watch for surplus"
    " bytes and for silence takes a tenth of a call"
)
PREFETCH = "nothing hides the wait for the first page; timers and calls come on top"
SWEEP_SLOW = f"the machine did not make {ALLOWED} calls a second"
SWEEP_REFUSED = "starts that were caught up after a stall fell into a second that was full"
SWEEP_LOST = "all attempts of a call fell into seconds that had no room left"
DECODING = "the models are made in Python, pydantic's in Rust; Python's own parser takes twice as long as msgspec"
BLOCK = "Python's garbage collector walks over all models that were read; a piece takes 1 to 3 ms"
ERROR_BLOCK = "the body is copied once, when it is whole"
COSTLY_BLOCK = "an item, and what stands around the list, is parsed in one go"
COSTLY_MEMORY = "every value of the JSON becomes an object of Python"
IMPORT = "attrs compiles the methods of 49 classes, 12 ms of it for generated models; asyncio takes 10 ms"
FIRST_CLIENT = ""
LATER_CLIENT = ""
MEMORY = ""
