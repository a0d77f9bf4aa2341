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

try:
    from usergroups.sandbox._app import Sandbox
    from usergroups.sandbox._data import Counts, Data, smartpm_user
    from usergroups.sandbox._server import Server, serve
except ModuleNotFoundError as error:
    message = "usergroups.sandbox needs starlette and uvicorn: pip install 'usergroups[sandbox]'"
    raise ModuleNotFoundError(message, name=error.name) from error

__all__ = ["Counts", "Data", "Sandbox", "Server", "serve", "smartpm_user"]
