"""The app in a browser: whom it is served to."""

from __future__ import annotations

import sys

import pytest

from tui import serve


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", "localhost.example.org", ""])  # noqa: S104
def test_only_this_machine_is_served(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert serve.main(["--host", host]) == 2
    assert "not a loopback address" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback_is(host: str) -> None:
    assert serve.is_loopback(host)


def test_without_textual_serve_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("aiohttp", "textual_serve", "textual_serve.server"):
        monkeypatch.setitem(sys.modules, name, None)
    assert serve.main([]) == 2
    assert "foldwatch[web]" in capsys.readouterr().err


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
    assert serve.is_own(host, origin) is own


def test_options_reach_the_app_through_a_shell_unharmed() -> None:
    line = serve.command_line(["--read-only", "attach", "$(touch x); reuters-01"])
    assert line.endswith("-P -m tui --read-only attach '$(touch x); reuters-01'")
