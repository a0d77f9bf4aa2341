"""
Why a goal is missed: told where one is, and written by hand.

Whoever changes what a cause is about changes the cause.
"""

from benchmarks.results import ALLOWED

DEFAULT_COST = "httpcore and h11 take most of a call: see the profiles"
DEFAULT_CROWD = "calls stand in line for 16 places, first come, first served, so that each waits as long as all take"
AIOHTTP_COST = "around each call an httpx request and answer are made, and the URL is parsed in Python"
PREFETCH = "nothing hides the wait for the first page; timers and calls come on top"
SWEEP_SLOW = f"the machine did not make {ALLOWED} calls a second"
SWEEP_REFUSED = "starts that were caught up after a stall fell into a second that was full"
SWEEP_LOST = "all attempts of a call fell into seconds that had no room left"
DECODING = "the models are made in Python, pydantic's in Rust"
BLOCK = "the JSON is parsed in one go, which nothing interrupts"
ERROR_BLOCK = ""
COSTLY_BLOCK = "the JSON is parsed in one go, whatever it holds"
COSTLY_MEMORY = "every value of the JSON becomes an object of Python"
IMPORT = "attrs writes the methods of each class anew, and asyncio is imported"
FIRST_CLIENT = ""
LATER_CLIENT = ""
MEMORY = ""
