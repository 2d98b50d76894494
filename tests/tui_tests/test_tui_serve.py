"""The app in a browser: whom it is served to, and what a visitor can do to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.tui_tests.pseudo_terminal import REPOSITORY
from tests.tui_tests.scripted_search import Script
from tests.tui_tests.small_sessions import make_session
from tui import serve
from tui.browser.loopback import is_loopback, is_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECONDS = 30.0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "localhost.example.org", ""])  # noqa: S104
def test_only_this_machine_is_served(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["--host", host]) == 2
    assert "not a loopback address" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_is(host: str) -> None:
    assert is_loopback(host)


def test_without_textual_serve_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "tui.browser.web_server", raising=False)
    for name in ("aiohttp", "textual_serve"):
        monkeypatch.setitem(sys.modules, name, None)
    assert serve.main([]) == 2
    assert "foldwatch[web]" in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["--port", "70000"]) == 2
    assert "accepted: 0 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "origin", "own"),
    [
        ("localhost:8000", None, True),
        ("localhost:8000", "http://localhost:8000", True),
        ("127.0.0.1:8000", "http://127.0.0.1:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("localhost:8000", "http://evil.example", False),
        ("localhost:8000", "http://localhost:9000", False),
        ("localhost:8000", "null", False),
        ("evil.example:8000", "http://evil.example:8000", False),
        ("", None, False),
    ],
)
def test_other_pages_are_refused(host: str, origin: str | None, own: bool) -> None:
    assert is_own(host, origin) is own


class Served:
    """A server that runs; `address` opens it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.address = self.next_address()
        self.base = self.address.partition("/?token=")[0]

    def next_address(self) -> str:
        """The one that it shows next."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().split()[-1]

    @property
    def apps(self) -> list[psutil.Process]:
        """The processes of those who visit."""
        return psutil.Process(self.process.pid).children()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("textual_serve")
    make_session(tmp_path / "sessions", "half", Script().half_way())
    command = [sys.executable, "-P", "-m", "tui.serve", "--port", "0", "--sessions", str(tmp_path / "sessions")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Served(process)
        finally:
            process.kill()


@contextlib.asynccontextmanager
async def _client(**options: Any) -> AsyncIterator[Any]:
    import aiohttp

    # Cookies of an IP address or localhost are not kept otherwise.
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), **options) as client:
        yield client


async def _shown(socket: Any, text: bytes) -> None:
    """Read until the app has drawn something."""
    import aiohttp

    content = b""
    async with asyncio.timeout(SECONDS):
        while text not in content:
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT), message
            content += message.data if isinstance(message.data, bytes) else message.data.encode()


async def _gone(processes: list[psutil.Process]) -> None:
    """Wait until they have ended."""
    assert processes
    _, alive = await asyncio.to_thread(psutil.wait_procs, processes, SECONDS)
    assert not alive


async def test_whoever_has_no_token_gets_nothing(served: Served) -> None:
    import aiohttp

    async with _client() as client:
        for path in ("/", "/?token=", "/?token=wrong", "/static/js/textual.js", f"/ws?token={'x' * 43}"):
            async with client.get(served.base + path) as response:
                assert response.status == 403, path
                assert "Set-Cookie" not in response.headers
        for headers in ({}, {"Cookie": f"foldwatch-{response.url.port}=wrong"}):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await client.ws_connect(f"{served.base}/ws", headers=headers)
            assert refusal.value.status == 403
    assert served.apps == []


async def test_the_token_opens_once_and_its_cookie_from_then_on(served: Served) -> None:
    async with _client() as client, _client() as another:
        async with client.get(served.address, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        async with client.get(f"{served.base}/") as response:
            assert response.status == 200
            page = await response.text()
            policy = response.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert "http" not in page.replace(f"ws://{served.base.removeprefix('http://')}/ws", "")
        async with another.get(served.address) as response:
            assert response.status == 403  # spent
        async with another.get(served.next_address()) as response:
            assert response.status == 200
        async with client.get(f"{served.base}/", headers={"Origin": "http://evil.example"}) as response:
            assert response.status == 403  # with the cookie, but from another's page
        async with client.get(f"{served.base}/", headers={"Host": "evil.example"}) as response:
            assert response.status == 403


async def test_a_visitor_gets_an_app_that_ends_when_they_leave(served: Served) -> None:
    async with _client() as client:
        await client.get(served.address)
        socket = await client.ws_connect(f"{served.base}/ws?width=100&height=30")
        await _shown(socket, b"half")
        apps = served.apps
        assert len(apps) == 1
        await socket.send_json(["resize", {"width": 120, "height": 40}])
        await socket.send_json(["ping", 7])
        await _shown(socket, b'["pong", 7]')
        await socket.close()
        await _gone(apps)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_an_app_ends_with_its_server(served: Served, number: signal.Signals) -> None:
    async with _client() as client:
        await client.get(served.address)
        socket = await client.ws_connect(f"{served.base}/ws")
        await _shown(socket, b"half")
        apps = served.apps
        served.process.send_signal(number)
        await _gone(apps)


@pytest.mark.parametrize("size", ["width=100000&height=100000", "width=80&height=0", "width=-1&height=24", "width=a"])
async def test_a_terminal_beyond_all_measure_is_refused(served: Served, size: str) -> None:
    import aiohttp

    async with _client() as client:
        await client.get(served.address)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await client.ws_connect(f"{served.base}/ws?{size}")
        assert refusal.value.status == 400
    assert served.apps == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('["resize", {"width": 100000, "height": 100000}]', 1008),
        ('["resize", {"width": "80", "height": 24}]', 1008),
        ("[" * 50_000, 1008),
        ("{}", 1008),
        ('["stdin", 7]', 1008),
        (f'["stdin", "{"x" * (1 << 20)}"]', 1009),
    ],
    ids=["size", "text for a number", "deep", "no list", "number for a text", "too long"],
)
async def test_what_the_page_never_sends_ends_the_visit(served: Served, message: str, code: int) -> None:
    async with _client() as client:
        await client.get(served.address)
        socket = await client.ws_connect(f"{served.base}/ws")
        await _shown(socket, b"half")
        apps = served.apps
        await socket.send_str(message)
        async with asyncio.timeout(SECONDS):
            while not socket.closed:
                await socket.receive()
        assert socket.close_code == code
        await _gone(apps)
    assert served.process.poll() is None
