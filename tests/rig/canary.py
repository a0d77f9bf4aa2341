"""Secrets that are given to clients under test, and the search for places where they turn up."""

import logging
import os
import pickle
import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from types import FrameType

WORD = "CANARY"  # every secret of a test holds it, those that tests make up too
API_KEY_ID = "key-id-1"  # m3ter's access key id: a name, not a secret
API_SECRET = "CANARY-api-secret-5f1d"
ACCESS_TOKEN = "CANARY-access-token-77ab"
SMARTPM_API_KEY = "CANARY-smartpm-api-key-c3e9"
BASIC = b64encode(f"{API_KEY_ID}:{API_SECRET}".encode()).decode()


def _in_base64(word: str) -> list[str]:
    """
    Return what *word* looks like within base64, at each of the three places it can begin at.
    """
    looks = []
    for before in range(3):
        encoded = b64encode(b"\0" * before + word.encode()).decode()
        first = -(-before * 8 // 6)
        whole = (before + len(word)) * 8 // 6
        looks.append(encoded[first:whole])
    return looks


_CANARY = re.compile("|".join([WORD, *_in_base64(WORD)]), re.IGNORECASE)
_CANARY_BYTES = re.compile(_CANARY.pattern.encode(), re.IGNORECASE)


def has_canary(text: str | bytes) -> bool:
    """
    Return whether a secret shows in *text*, as it is or in base64.
    """
    if isinstance(text, bytes):
        return _CANARY_BYTES.search(text) is not None
    return _CANARY.search(text) is not None


def _sdk_folders() -> tuple[str, ...]:
    specs = [find_spec(name) for name in ("usergroups", "usergroups_m3ter_api", "usergroups_smartpm_api")]
    return tuple(folder + os.sep for spec in specs if spec for folder in spec.submodule_search_locations or ())


SDK_FOLDERS = _sdk_folders()


def chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """
    Return *error* and all that hangs on it, each with how it hangs there.
    """
    pending = [(type(error).__name__, error)]
    seen: set[int] = set()
    while pending:
        where, one = pending.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield where, one
        if one.__cause__ is not None:
            pending.append((f"{where}.__cause__", one.__cause__))
        if one.__context__ is not None:
            pending.append((f"{where}.__context__", one.__context__))
        if isinstance(one, BaseExceptionGroup):
            pending += [(f"{where}.exceptions[{i}]", inner) for i, inner in enumerate(one.exceptions)]


def sweep_exception(error: BaseException, folders: tuple[str, ...] = SDK_FOLDERS) -> list[str]:
    """
    Return the places of *error* and its chain at which a canary shows.

    Looked at are text, repr, args, attributes, notes, pickle, and the locals of the traceback's
    frames whose code lies in *folders*.
    """
    found: list[str] = []
    for where, one in chain(error):
        found += _sweep(where, one)
        if _shows(one.args):
            found.append(f"{where}.args")
        found += [f"{where}.__dict__[{name!r}]" for name, value in vars(one).items() if _shows(value)]
        for frame in _frames(one, folders):
            found += [
                f"{where}: local {name!r} of {frame.f_code.co_name}"
                for name, value in frame.f_locals.items()
                if _shows(value)
            ]
    return found


def sweep_object(thing: object) -> list[str]:
    """
    Return the places of *thing* (its repr, text, vars and pickle) at which a canary shows.
    """
    name = type(thing).__name__
    found = _sweep(name, thing)
    if hasattr(thing, "__dict__"):
        found += [f"vars({name})[{key!r}]" for key, value in vars(thing).items() if _shows(value)]
    return found


def foreign(error: BaseException, folders: tuple[str, ...] = SDK_FOLDERS) -> list[str]:
    """
    Return what hangs on *error* (an SDK's) that came from below it, and is another library's or a
    builtin exception: whose traceback touches *folders*.
    """
    return [
        f"{where} is {type(one).__module__}.{type(one).__name__}"
        for where, one in chain(error)
        if one is not error and not type(one).__module__.startswith("usergroups") and any(_frames(one, folders))
    ]


class LogSweep(logging.Handler):
    """
    Looks at every log record as it is made, and keeps what is wrong with it in `found`: a canary in
    its text, arguments, extras or exception, or a complaint of asyncio.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []
        self.records = 0

    def emit(self, record: logging.LogRecord) -> None:
        """
        Look at *record*.
        """
        self.records += 1
        where = f"log record of {record.name} ({record.pathname}:{record.lineno})"
        if has_canary(record.getMessage()) or _shows(vars(record)):
            self.found.append(where)
        if record.exc_info and record.exc_info[1] is not None:
            self.found += [f"{where}: {place}" for place in sweep_exception(record.exc_info[1])]
        if record.name == "asyncio" and record.levelno >= logging.ERROR:
            self.found.append(f"asyncio complained: {record.getMessage()}")


def _sweep(where: str, thing: object) -> list[str]:
    found = []
    if has_canary(_repr(thing)):
        found.append(f"repr of {where}")
    if has_canary(_repr(thing, str)):
        found.append(f"str of {where}")
    try:
        pickled = pickle.dumps(thing)
    except Exception:  # noqa: BLE001  # what cannot be pickled shows nothing that way
        pickled = b""
    if has_canary(pickled):
        found.append(f"pickle of {where}")
    return found


def _shows(value: object) -> bool:
    if type(value) is bytes or type(value) is str:  # as they are: they may be long
        return has_canary(value)
    return has_canary(_repr(value))


def _repr(thing: object, how: Callable[[object], str] = repr) -> str:
    try:
        return how(thing)
    except Exception as error:  # noqa: BLE001  # a repr that fails shows nothing but this
        return f"<no text: {type(error).__name__}>"


def _frames(error: BaseException, folders: tuple[str, ...]) -> Iterator[FrameType]:
    """
    Return the frames of *error*'s traceback whose code lies in *folders*.
    """
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.startswith(folders):
            yield traceback.tb_frame
        traceback = traceback.tb_next
