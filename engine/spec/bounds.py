"""The bounds of everything that is parsed: how deep, how long, how many; checked before memory and time are spent.

A text is checked before its parser sees it (`check_toml`), values when they are there (`check_value`):
those of a spec, of a request, of a call. Deeper than this is nothing that means something, and recursion over what
was checked cannot fail. Every refusal is one line that names the place and the limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from engine.errors import SpecError, Words, shortened

DEEPEST = 16  # lists and tables in each other; a space of spaces with a schedule's lists of lists has 6
MOST_VALUES = 200_000  # of one spec, request or call, all its lists and tables together
LONGEST_TEXT = 10_000  # characters of a text
LONGEST_NAME = 200  # of a key
LONGEST_ASSIGNMENT = 100_000  # of `key=value`
LONGEST_NUMBER = 1_024  # bits of a whole number: more is beyond every number with a point

MOST_COMBINATIONS = 100_000
MOST_FITS = 1_000_000
# With `allow_large`: what `tests.benchmarks.planning` was seen to work with.
MOST_COMBINATIONS_ALLOWED = 300_000
MOST_FITS_ALLOWED = 3_000_000
LONGEST_SPAN = 10 * 365 * 86_400.0  # seconds until a deadline
LATEST = 32_503_680_000.0  # seconds since 1970: the year 3000, which every calendar can show
LARGEST_GRID_TO_DRAW_FROM = 2**63 - 1  # its combinations are numbered by what draws them

# Texts that do not end reach to the end of their line, or of everything: the parser refuses them there.
_TOML = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
    r"|'''(?:[^']|'(?!''))*+(?:''')?"
    r'|(?P<part>"(?:[^"\\\n]|\\.)*+"?'
    r"|'[^'\n]*+'?"
    r"|[A-Za-z0-9_-]+)"
    r"|(?P<dot>\.)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<blank>[ \t]+)|\#[^\n]*|[^\"'#\[\]{}.A-Za-z0-9_ \t-]+",
    re.DOTALL,
)


def check_toml(text: str, place: str) -> None:
    """Raises SpecError where lists, tables or dotted names of a TOML text are too deep in each other."""
    depth = dots = 0
    for token in _TOML.finditer(text):
        kind = token.lastgroup
        if kind == "dot":
            dots += 1
        elif kind in ("open", "close"):
            depth, dots = depth + (1 if kind == "open" else -1), 0
        elif kind not in ("part", "blank"):
            dots = 0
        if dots >= DEEPEST or depth > DEEPEST:
            line = text.count("\n", 0, token.start()) + 1
            raise _too_deep(f"{place}: line {line}", "TOML with ")


def check_text(text: str, place: str, longest: int = LONGEST_TEXT) -> None:
    """Raises SpecError where a text is longer than its place takes."""
    if len(text) > longest:
        raise SpecError(place, Words(f"a text of {len(text):,} characters"), f"at most {longest:,} characters")


def check_value(value: Any, place: str) -> None:
    """Raises SpecError where a value is too deep, has too many parts, or a number or text that is too long.

    What holds itself is too deep.
    """
    _check_single(value, place)
    level, count = [(place, value)] if _length(value) is not None else [], 0
    for _ in range(DEEPEST):
        below: list[tuple[str, Any]] = []
        for where, one in level:
            count += _length(one) or 0
            if count > MOST_VALUES:
                raise SpecError(where, Words(f"a spec of {count:,} values or more"), f"at most {MOST_VALUES:,} values")
            for key, item in _parts(one):
                if _length(item) is not None:
                    below.append((_inside(where, key), item))
                else:
                    _check_single(item, where, key)
                if isinstance(key, str):
                    check_text(key, where, LONGEST_NAME)
        if not below:
            return
        level = below
    if level:
        raise _too_deep(level[0][0][:80])


def check_count(place: str, combinations: int, fits: int, *, allow_large: bool) -> None:
    """Raises SpecError where a search would have more combinations or fits than it may."""
    most = MOST_COMBINATIONS_ALLOWED if allow_large else MOST_COMBINATIONS
    most_fits = MOST_FITS_ALLOWED if allow_large else MOST_FITS
    for count, what, limit, allowed in (
        (combinations, "combinations", most, MOST_COMBINATIONS_ALLOWED),
        (fits, "fits", most_fits, MOST_FITS_ALLOWED),
    ):
        if count > limit:
            more = "" if limit == allowed else f"; up to {allowed:,} with --allow-large (allow_large = true)"
            raise SpecError(place, Words(f"a search of {count:,} {what}"), f"at most {limit:,} {what}{more}")


def _too_deep(place: str, what: str = "") -> SpecError:
    accepted = f"{what}lists, tables and dotted names up to {DEEPEST} deep"
    return SpecError(place, Words(f"more than {DEEPEST} lists or tables in each other"), accepted)


def _length(value: Any) -> int | None:
    """How many values it holds; None for a single one. NumPy's arrays say theirs without being made a list."""
    if isinstance(value, Mapping | list | tuple | range):
        return len(value)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", False):
        return int(value.size)
    return None


def _parts(value: Any) -> Iterable[tuple[object, Any]]:
    """Keys and items of a table, numbers and items of a list; ranges and arrays hold single numbers only."""
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list | tuple) else ()


def _check_single(value: Any, place: str, key: object = None) -> None:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        check_text(value, _inside(place, key))
    elif isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        large = Words(f"a number of {value.bit_length():,} bits")
        raise SpecError(_inside(place, key), large, f"a whole number of at most {LONGEST_NUMBER:,} bits")


def _inside(place: str, key: object) -> str:
    if key is None or not place:
        return place if key is None else str(key)[:80]
    return f"{place}[{key}]" if isinstance(key, int) else f"{place}.{shortened(str(key))}"
