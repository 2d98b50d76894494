"""Text from outside can neither steer a terminal nor be read as markup."""

from __future__ import annotations

import pytest

from tui.parts.safe_text import LONGEST_LINE, clean, safe_content, safe_text

HOSTILE = [
    ("plain text", "plain text"),
    ("[bold]markup[/bold] [/usr/bin] [relu]", "[bold]markup[/bold] [/usr/bin] [relu]"),
    ("\x1b]52;c;ZXZpbA==\x07", "␛]52;c;ZXZpbA==␇"),
    ("\x1b[2J\x1b[31mred", "␛[2J␛[31mred"),
    ("\x9b2J\x90q\x9d0;title\x9c", "⟨009B⟩2J⟨0090⟩q⟨009D⟩0;title⟨009C⟩"),
    ("abc\u202efed\u2069", "abc⟨202E⟩fed⟨2069⟩"),
    ("a\u200bb\u200dc\ufeffd\u00ade", "abcde"),
    ("a\tb\x00\x7f", "a    b␀⟨007F⟩"),
    ("one\ntwo\r\nthree\rfour", "one⏎two⏎three␍four"),
    ("half \ud800 surrogate", "half � surrogate"),
    ("z\u0301\u0302\u0303\u0304\u0305", "z\u0301\u0302"),
    ("Ünïcode 漢字 é ✓", "Ünïcode 漢字 é ✓"),
    ("\u2028line\U000e0041tag", "⟨2028⟩linetag"),
]


@pytest.mark.parametrize(("hostile", "shown"), HOSTILE)
def test_what_a_terminal_would_act_on_becomes_visible(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown
    clean(hostile).encode()  # a lone surrogate would raise in the terminal's writer


@pytest.mark.parametrize("hostile", [hostile for hostile, _ in HOSTILE])
def test_no_control_character_is_left(hostile: str) -> None:
    for text in (safe_text(hostile).plain, safe_content(hostile).plain, clean(hostile, lines=True).replace("\n", "")):
        assert not [character for character in text if ord(character) < 32 or 127 <= ord(character) < 160]


def test_long_lines_are_cut_with_a_count() -> None:
    shown = clean("x" * (LONGEST_LINE + 5))
    assert shown == "x" * LONGEST_LINE + "… 5 more characters"


def test_lines_are_kept_where_asked() -> None:
    assert clean("one\ntwo\x1b", lines=True) == "one\ntwo␛"


def test_a_text_of_megabytes_ends() -> None:
    shown = clean("line\n" * 1_000_000, lines=True)
    assert len(shown) < 300_000
    assert shown.endswith("more characters")


def test_markup_is_not_parsed() -> None:
    assert safe_content("[b]x[/b]").plain == "[b]x[/b]"
    assert safe_text("[b]x[/b]").spans == []
