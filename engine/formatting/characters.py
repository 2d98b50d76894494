"""Which characters a stream is given: all that foldwatch uses, or plain ones.

A stream is given plain characters where its encoding has no others, and where the user asked for them by `--plain` or
FOLDWATCH_PLAIN=1: somebody who uses a screen reader, or cannot distinguish braille dots, needs them.
"""

from __future__ import annotations

import os
import unicodedata
from functools import cache
from typing import TextIO

_SAMPLE = "±…│█⣿★"  # an encoding that holds these holds all that foldwatch draws with
_plain_requested = False


def ask_for_plain(plain: bool) -> None:
    """Give all streams plain characters for the rest of this process, or let FOLDWATCH_PLAIN decide."""
    global _plain_requested
    _plain_requested = plain


def is_plain(stream: TextIO) -> bool:
    """Whether this stream is given plain characters only."""
    is_requested = _plain_requested or os.environ.get("FOLDWATCH_PLAIN", "0") not in ("", "0")
    return is_requested or not _holds_all(encoding_of(stream))


def encoding_of(stream: TextIO) -> str:
    """The stream's encoding; UTF-8 for one that has none."""
    return getattr(stream, "encoding", None) or "utf-8"


@cache
def _holds_all(encoding: str) -> bool:
    try:
        _SAMPLE.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def fitting(text: str, stream: TextIO) -> str:
    """The text as this stream can write it: plain where `is_plain`, `\\xfc` for letters that its encoding lacks."""
    if text.isascii():
        return text
    if is_plain(stream):
        text = plain_cells(text.replace("…", "..."))
    encoding = encoding_of(stream)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def plain_cells(text: str) -> str:
    """Symbols, borders, bars and braille dots as ASCII, cell for cell; letters of any script stay."""
    return text if text.isascii() else text.replace("± ", "+-").translate(_PLAIN)


class _Plain(dict[int, str]):
    """Plain characters by code point, each worked out when it is first needed."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = chr(code) if code < 0x80 else _plain_of(code)
        return plain


def _plain_of(code: int) -> str:
    if 0x2800 <= code <= 0x28FF:
        return _of_braille(code - 0x2800)
    if 0x2500 <= code <= 0x257F:
        return _of_line(unicodedata.name(chr(code)))
    if 0x2580 <= code <= 0x259F:
        return _of_block(code)
    if 0x2400 <= code <= 0x2421:
        return "?"  # a picture of a control character
    return chr(code)


def _of_braille(dots: int) -> str:
    """A character where the dots lie in the cell, so that a curve of them still looks like one."""
    if not dots:
        return " "
    rows = [bool(dots & mask) for mask in (0x09, 0x12, 0x24, 0xC0)]
    if sum(rows) > 2:
        return "#" if dots.bit_count() > 6 else "|"
    if rows[0]:
        return "'" if not rows[2] and not rows[3] else ":"
    return "-" if rows[1] or not rows[3] else "."


def _of_line(name: str) -> str:
    is_across = any(word in name for word in ("HORIZONTAL", "LEFT", "RIGHT"))
    is_upright = any(word in name for word in ("VERTICAL", "UP", "DOWN", "ARC"))
    if name.startswith("BOX DRAWINGS HEAVY") and not is_upright:
        return "="  # the done part of a bar
    if "DIAGONAL" in name:
        return "X" if "CROSS" in name else "/" if "UPPER RIGHT TO" in name else "\\"
    return "+" if is_across and is_upright else "|" if is_upright else "-"


def _of_block(code: int) -> str:
    if code <= 0x2588:
        return "'_.-:=+*#"[code - 0x2580]  # the upper half, then bars that rise
    if code <= 0x258F:
        return "#" if code <= 0x258B else "|"  # bars that grow to the right
    return {0x2590: "|", 0x2591: ".", 0x2592: ":", 0x2593: "*", 0x2594: "-", 0x2595: "|"}.get(code, "#")


_PLAIN = _Plain(
    str.maketrans(
        {
            "±": "~",
            "²": "2",
            "·": ".",
            "×": "x",
            "–": "-",
            "—": "-",
            "‖": "=",
            "‘": "'",
            "’": "'",
            "“": '"',
            "”": '"',
            "•": "*",
            "…": "~",
            "←": "<",
            "↑": "^",
            "→": ">",
            "↓": "v",
            "↵": "/",
            "⏎": "/",
            "−": "-",
            "≈": "~",
            "≤": "<",
            "≥": ">",
            "■": "#",
            "▪": "=",
            "▲": "^",
            "▴": "^",
            "▶": ">",
            "▸": ">",
            "▼": "v",
            "▾": "v",
            "◀": "<",
            "◂": "<",
            "◆": "*",
            "○": "o",
            "●": "@",
            "★": "*",
            "✓": "y",
            "✗": "x",
            "⟨": "<",
            "⟩": ">",
            "�": "?",
        }
    )
)
