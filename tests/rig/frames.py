"""What tools show of a traceback's local variables: rich, structlog, sentry-sdk and their kind."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from types import CellType, FunctionType, MethodType

import attrs

from .canary import SDK_FOLDERS, chain

OURS = (*SDK_FOLDERS, "<attrs generated")  # the files of frames of ours: what attrs writes for us is
PIECE = 8  # characters of a secret that are too many


def shown(error: BaseException, secrets: Iterable[str], folders: tuple[str, ...] = OURS) -> list[str]:
    """
    Return the places at which a piece of one of *secrets* shows in *error*, its chain, or their frames in *folders*.

    Looked at is every text that can be reached from a local variable: through containers, and through
    attributes, closures and arguments of what is the SDK's own. Of other objects it is the repr.
    """
    pieces = {secret[at : at + PIECE] for secret in secrets for at in range(max(1, len(secret) - PIECE + 1))}
    found: list[str] = []
    for where, one in chain(error):
        roots: list[tuple[str, object]] = [(f"str of {where}", str(one)), (f"args of {where}", one.args)]
        roots += [(f"{where}.{name}", value) for name, value in vars(one).items()]
        traceback = one.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if frame.f_code.co_filename.startswith(folders):
                place = f"{where}: {frame.f_code.co_name}"
                roots += [(f"{place}: {name}", value) for name, value in frame.f_locals.items()]
            traceback = traceback.tb_next
        found += [place for place, text in _texts(roots) if _holds(text, pieces)]
    return found


def _texts(roots: list[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """
    Return every text that can be reached from *roots*, and how.
    """
    pending = deque(roots)
    seen: dict[int, object] = {}
    while pending:
        place, one = pending.popleft()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, str):
            yield place, str.__str__(one)
        elif isinstance(one, bytes | bytearray):
            yield place, one.decode("latin-1")
        else:
            yield f"repr of {place}", _repr(one)
            pending += [(f"{place}{step}", value) for step, value in _within(one)]


def _within(one: object) -> Iterator[tuple[str, object]]:
    if isinstance(one, Mapping):
        for key, value in list(one.items()):
            yield ".key", key
            yield f"[{key!r}]", value
    elif isinstance(one, Sequence | AbstractSet | deque):
        yield from ((f"[{at}]", value) for at, value in enumerate(one))
    elif isinstance(one, FunctionType):
        empty = CellType()
        cells = [cell for cell in one.__closure__ or () if cell != empty]
        yield from ((f".{one.__name__}", cell.cell_contents) for cell in cells)
    else:
        yield from ((f".{name}", getattr(one, name)) for name in _names(one) if hasattr(one, name))


def _names(one: object) -> Iterable[str]:
    """
    Return the names of those attributes of *one* that are looked at.
    """
    if isinstance(one, partial):
        return "func", "args", "keywords"
    if isinstance(one, MethodType):
        return ("__self__",)
    if attrs.has(type(one)):
        return [field.name for field in attrs.fields(type(one)) if field.repr]
    if type(one).__module__.startswith("usergroups"):
        return [*getattr(one, "__dict__", ()), *getattr(one, "__slots__", ())]
    return ()


def _holds(text: str, pieces: set[str]) -> bool:
    return any(text[at : at + PIECE] in pieces for at in range(max(1, len(text) - PIECE + 1)))


def _repr(one: object) -> str:
    try:
        return repr(one)
    except Exception as error:  # noqa: BLE001  # of what is half made, say: tools show that it failed
        return f"<no repr: {error}>"
