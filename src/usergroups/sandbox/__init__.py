"""
A local stand-in of both providers that keeps state and obeys the specs.

In process:

    sandbox = Sandbox()
    transport = httpx.ASGITransport(app=sandbox.app)

over a real socket:

    with serve(Sandbox()) as server:
        server.url, server.env

and from a shell: `python -m usergroups.sandbox`.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

_missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]

if TYPE_CHECKING or not _missing:
    from usergroups.sandbox._app import Sandbox
    from usergroups.sandbox._data import Counts, Data, smartpm_group_id, smartpm_user
    from usergroups.sandbox._server import Server, serve
else:

    def __getattr__(name: str) -> NoReturn:
        """Say what to install once something is asked for, and not before: `python -m` imports this module first."""
        if name not in __all__:
            raise AttributeError(name)
        raise ModuleNotFoundError(
            f"the sandbox needs {' and '.join(_missing)}: install usergroups with its extra 'sandbox'"
            " (pip install '.[sandbox]' in a checkout)",
            name=_missing[0],
        )


__all__ = ["Counts", "Data", "Sandbox", "Server", "serve", "smartpm_group_id", "smartpm_user"]
