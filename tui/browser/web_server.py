"""Serves the app to browsers that hold the address: a process of its own for each, which ends when they go.

Loopback keeps other machines out, not other users of this one: whoever has no token, or the cookie that was given for
it, gets nothing. The page needs nothing from elsewhere, stands in no other page's frame, and another page's requests
are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import html
import secrets
import signal
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import textual_serve
from aiohttp import WSCloseCode, WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

from tui.browser.loopback import is_own

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Sequence

MOST_COLUMNS, MOST_LINES = 1000, 500
LARGEST_MESSAGE = 256 << 10  # a long text that is pasted; Textual's own messages are some bytes
_SECONDS_TO_LEAVE = 5.0
_HEARTBEAT_SECONDS = 15.0


class Keys:
    """A token that opens the app once, and the cookie that whoever used one holds from then on."""

    def __init__(self) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = secrets.token_urlsafe(32)

    def take(self, token: str) -> bool:
        """Whether this is the token; it is another one afterwards."""
        is_right = _equal(token, self.token)
        if is_right:
            self.token = secrets.token_urlsafe(32)
        return is_right

    def holds(self, cookie: str) -> bool:
        """Whether this is the cookie."""
        return _equal(cookie, self.cookie)


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode())


class Visit(AppService):  # type: ignore[misc, unused-ignore]
    """The app of one visitor: a process without a shell in between, which is gone when the visit is over."""

    def __init__(self, arguments: Sequence[str], socket: web.WebSocketResponse) -> None:
        super().__init__(
            "",
            write_bytes=socket.send_bytes,
            write_str=socket.send_str,
            close=self._close_socket,
            download_manager=DownloadManager(),
        )
        self._arguments = arguments
        self._socket = socket

    async def _close_socket(self) -> None:
        await self._socket.close()

    def _build_environment(self, width: int = 80, height: int = 24) -> dict[str, str]:
        environment: dict[str, str] = super()._build_environment(width, height)
        return environment | {"TEXTUAL_DRIVER": "tui.browser.served_driver:ServedDriver"}

    async def _open_app_process(self, width: int = 80, height: int = 24) -> Process:
        self._process = process = await asyncio.create_subprocess_exec(
            *app_command(self._arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._build_environment(width, height),
        )
        self._stdin = process.stdin
        return process

    async def end(self) -> None:
        """Have the process leave; kill it where it does not within a moment."""
        process = self._process
        if process is None:
            return
        try:
            async with asyncio.timeout(_SECONDS_TO_LEAVE):
                with contextlib.suppress(OSError):
                    self.stdin.close()  # at which the app leaves
                    await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


def app_command(arguments: Sequence[str]) -> list[str]:
    """What runs for each visitor."""
    return [sys.executable, "-P", "-m", "tui", *arguments]


class WebServer:
    """Serves `foldwatch ARGUMENTS` at a loopback address; `announce` gets each address that opens it."""

    def __init__(self, host: str, arguments: Sequence[str], announce: Callable[[str], object]) -> None:
        self._host = host
        self._arguments = arguments
        self._announce = announce
        self._keys = Keys()
        self._port = 0

    async def serve(self, port: int) -> None:
        """Until SIGINT or SIGTERM. Raises OSError if the port cannot be had; 0 is any that is free."""
        runner = web.AppRunner(self._app(), access_log=None, handle_signals=False)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, port).start()
            self._port = runner.addresses[0][1]
            self._show_address()
            stopped = asyncio.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stopped.set)
            await stopped.wait()
        finally:
            await runner.cleanup()

    def _show_address(self) -> None:
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._announce(f"http://{host}:{self._port}/?token={self._keys.token}")

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._only_who_may])
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/ws", self._visit),
                web.static("/static", Path(textual_serve.__file__).with_name("static")),
            ]
        )
        app.on_response_prepare.append(self._protect)
        app["sockets"] = set()
        app.on_shutdown.append(self._close_all)
        return app

    @web.middleware
    async def _only_who_may(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if not is_own(request.headers.get("Host", ""), request.headers.get("Origin")):
            raise web.HTTPForbidden(text="foldwatch answers its own page only\n")
        if self._keys.holds(request.cookies.get(self._cookie_name, "")):
            response: web.StreamResponse = await handler(request)
            return response
        if request.path == "/" and request.method == "GET" and self._keys.take(request.query.get("token", "")):
            self._show_address()  # for another browser
            # The token leaves the address, and with it the browser's history.
            entered = web.HTTPSeeOther("/")
            entered.set_cookie(self._cookie_name, self._keys.cookie, httponly=True, samesite="Strict", path="/")
            raise entered
        raise web.HTTPForbidden(
            text="open the newest address that foldwatch shows in its terminal: each address works once\n"
        )

    @property
    def _cookie_name(self) -> str:
        return f"foldwatch-{self._port}"  # cookies do not tell ports apart

    async def _protect(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(
            {
                "Content-Security-Policy": (
                    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
                    f"font-src 'self'; connect-src 'self' ws://{_printable(request.host)}; frame-ancestors 'none'; "
                    "base-uri 'none'; form-action 'none'"
                ),
                "X-Frame-Options": "DENY",
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cross-Origin-Resource-Policy": "same-origin",
                "Cache-Control": "no-store",
            }
        )

    async def _index(self, request: web.Request) -> web.Response:
        page = files("tui.browser").joinpath("web_page.html").read_text(encoding="utf-8")
        socket = html.escape(f"ws://{request.host}/ws")
        return web.Response(text=page.replace("SOCKET", socket), content_type="text/html")

    async def _visit(self, request: web.Request) -> web.StreamResponse:
        columns, lines = _number(request.query.get("width", "80")), _number(request.query.get("height", "24"))
        if not _is_size(columns, lines):
            raise web.HTTPBadRequest(text=f"accepted: up to {MOST_COLUMNS} columns and {MOST_LINES} lines\n")
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, max_msg_size=LARGEST_MESSAGE)
        await socket.prepare(request)
        request.app["sockets"].add(socket)
        visit = Visit(self._arguments, socket)
        try:
            await visit.start(columns, lines)
            async for message in socket:
                if message.type != WSMsgType.TEXT or not await _answer(message, visit, socket):
                    await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"not understood")
                    break
        finally:
            request.app["sockets"].discard(socket)
            await asyncio.shield(visit.end())
        return socket

    async def _close_all(self, app: web.Application) -> None:
        for socket in set(app["sockets"]):
            await socket.close(code=WSCloseCode.GOING_AWAY)


async def _answer(message: Any, visit: Visit, socket: web.WebSocketResponse) -> bool:
    """Do what the browser asks; False for what its page never sends."""
    try:
        match message.json():
            case ["stdin", str(text)]:
                await visit.send_bytes(text.encode(errors="replace"))
            case ["resize", {"width": int(columns), "height": int(lines)}] if _is_size(columns, lines):
                await visit.set_terminal_size(columns, lines)
            case ["ping", str() | int() | float() as number]:
                await socket.send_json(["pong", number])
            case ["focus", *_]:
                await visit.focus()
            case ["blur", *_]:
                await visit.blur()
            case _:
                return False
    except (ValueError, RecursionError):  # no JSON
        return False
    return True


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _is_size(columns: int, lines: int) -> bool:
    return 0 < columns <= MOST_COLUMNS and 0 < lines <= MOST_LINES


def _printable(host: str) -> str:
    """Only what may stand in a policy: a refused request may name any host."""
    return host if is_own(host, None) else "localhost"
