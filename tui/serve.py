"""The same app in a browser, through textual-serve: python -m tui.serve [--port 8000] [options of foldwatch].

Whoever reaches the page can do what the app can, so it is served on loopback alone, and only to its own page: no
other page that the browser shows may get at it. From another machine: ssh -L 8000:localhost:8000 HOST.
"""

from __future__ import annotations

import argparse
import ipaddress
import shlex
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tui.serve", description="foldwatch in a browser on this machine.", allow_abbrev=False
    )
    parser.add_argument("--host", default="localhost", help="a loopback address; others are refused")
    parser.add_argument("--port", type=int, default=8000)
    options, rest = parser.parse_known_args(arguments)
    if not is_loopback(options.host):
        sys.stderr.write(
            f"foldwatch: {options.host!r} is not a loopback address; whoever reaches the page could do what you can. "
            f"Serve on localhost, and from elsewhere: ssh -L {options.port}:localhost:{options.port} HOST\n"
        )
        return 2
    try:
        server = make_server(options.host, options.port, rest)
    except ModuleNotFoundError as error:
        if error.name not in ("textual_serve", "aiohttp"):
            raise
        sys.stderr.write("foldwatch: needs textual-serve: pip install 'foldwatch[web]'\n")
        return 2
    server.serve()
    return 0


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def command_line(arguments: Sequence[str]) -> str:
    """What the server runs for each visitor, as a shell reads it."""
    return shlex.join([sys.executable, "-P", "-m", "tui", *arguments])


def is_own(host_header: str, origin: str | None) -> bool:
    """Whether a request was made of this machine by its own page.

    Another page of the same browser may open a socket to any address: its Origin tells. A name that somebody else's
    server answers for may be pointed at this machine: the Host tells.
    """
    name = host_header.removeprefix("[").partition("]")[0] if host_header[:1] == "[" else host_header.partition(":")[0]
    return is_loopback(name) and origin in (None, f"http://{host_header}")


def make_server(host: str, port: int, arguments: Sequence[str]) -> Any:
    """A server of textual-serve's that answers its own page only. Raises ModuleNotFoundError without it."""
    from aiohttp import web
    from textual_serve.server import Server

    async def own_page_only(request: Any, handler: Any) -> Any:
        if not is_own(request.headers.get("Host", ""), request.headers.get("Origin")):
            raise web.HTTPForbidden(text="foldwatch answers its own page only")
        return await handler(request)

    class OwnServer(Server):  # type: ignore[misc, unused-ignore]
        async def _make_app(self) -> Any:
            app = await super()._make_app()
            app.middlewares.append(web.middleware(own_page_only))
            return app

    shown = f"[{host}]" if ":" in host else host
    return OwnServer(
        command_line(arguments), host=host, port=port, title="foldwatch", public_url=f"http://{shown}:{port}"
    )


if __name__ == "__main__":
    sys.exit(main())
