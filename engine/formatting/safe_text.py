"""The one way in for text from outside: the text that it returns cannot control a terminal.

Names, labels, errors, paths and logs may hold escape sequences (OSC 52 writes the clipboard), C1 controls, bidi
overrides that show a line in another order than it has, and lines of megabytes.
"""

from __future__ import annotations

import unicodedata

LONGEST_LINE = 10_000
LONGEST_TEXT = 200_000
_COMBINING_IN_A_ROW = 2


def clean(text: str, *, lines: bool = False, longest: int = LONGEST_LINE) -> str:
    """The text with nothing in it that a terminal acts on; line ends are kept only with `lines`.

    C0 controls become their pictures (ESC: ␛), other controls, formats and bidi overrides ⟨code point⟩, zero-width
    characters nothing, halves of surrogate pairs �. A line is cut at `longest` characters, with a count of the rest.
    """
    if len(text) <= longest and text.isascii() and text.isprintable():
        return text
    if not lines:
        return _clean_line(text.replace("\r\n", "\n").replace("\n", "⏎"), longest)
    beyond = len(text) - LONGEST_TEXT
    shown = "\n".join(_clean_line(line, longest) for line in text[:LONGEST_TEXT].splitlines())
    return f"{shown}\n… {beyond} more characters" if beyond > 0 else shown


def _clean_line(line: str, longest: int) -> str:
    beyond = len(line) - longest
    line = line[:longest]
    if not (line.isascii() and line.isprintable()):
        line = _visible(line)
    return f"{line}… {beyond} more characters" if beyond > 0 else line


def _visible(line: str) -> str:
    pieces: list[str] = []
    combining = 0
    for character in line:
        code = ord(character)
        if 0x20 <= code < 0x7F:
            pieces.append(character)
            combining = 0
            continue
        category = unicodedata.category(character)
        combining = combining + 1 if category in ("Mn", "Me") else 0
        if character == "\t":
            pieces.append("    ")
        elif code < 0x20:
            pieces.append(chr(0x2400 + code))
        elif category == "Cs":
            pieces.append("�")
        elif code in _ZERO_WIDTH or combining > _COMBINING_IN_A_ROW or 0xFE00 <= code <= 0xFE0F:
            continue
        elif category in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn"):
            pieces.append(f"⟨{code:04X}⟩")
        else:
            pieces.append(character)
    return "".join(pieces)


_ZERO_WIDTH = {0x00AD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xE0000, 0xE0080)}
