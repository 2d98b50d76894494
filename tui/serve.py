"""The app in a browser: python -m tui.serve [--port 8000] [options of foldwatch].

Whoever holds the address that is printed can do what the app can. It is served on loopback alone; from another
machine: ssh -L 8000:localhost:8000 HOST.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from engine.cli.printing import flush, print_text, say
from tui.browser.loopback import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tui.serve", description="foldwatch in a browser on this machine.", allow_abbrev=False
    )
    parser.add_argument("--host", default="localhost", help="a loopback address; others are refused")
    parser.add_argument("--port", type=int, default=8000, help="0 for any that is free")
    options, rest = parser.parse_known_args(arguments)
    if not 0 <= options.port < 1 << 16:
        say(f"foldwatch: --port: {options.port} is not accepted; accepted: 0 to 65535")
        return 2
    if not is_loopback(options.host):
        say(
            f"foldwatch: {options.host!r} is not a loopback address; whoever reaches the page could do what you can. "
            f"Serve on localhost, and from elsewhere: ssh -L {options.port}:localhost:{options.port} HOST"
        )
        return 2
    try:
        from tui.browser.web_server import WebServer
    except ModuleNotFoundError as error:
        if error.name not in ("textual_serve", "aiohttp"):
            raise
        say("foldwatch: needs textual-serve: pip install 'foldwatch[web]'")
        return 2
    try:
        asyncio.run(WebServer(options.host, rest, _show).serve(options.port))
    except OSError as error:
        say(f"foldwatch: {options.host}:{options.port} cannot be served: {error.strerror or error}")
        return 74
    return 0


def _show(address: str) -> None:
    print_text(f"this address opens foldwatch once: {address}")
    flush()


if __name__ == "__main__":
    sys.exit(main())
