"""How large, how long and how deeply nested the files of a session may be, so that no reader runs out of memory.

Anybody may have written them. The bounds lie far above what an engine writes, and below what would exhaust a machine.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

DEEPEST = 32  # tables and lists within each other; a record has eight of them at the most
LONGEST_LINE = 128 << 20  # bytes; 100,000 combinations are announced in one of 30 million
LARGEST_SEGMENT = 2 << 30  # bytes
LARGEST_RECORD = 16 << 20  # bytes of `search.json`
LARGEST_HEARTBEAT = 64 << 10  # bytes
LARGEST_CURVE = 64 << 20  # bytes; 100,000 epochs, the most of a training, take 8 million
LARGEST_PREDICTIONS = 16 << 20  # bytes of a block
LARGEST_FOLDS = 512 << 20  # bytes of `folds.npy`: 10,000 repeats of the largest data
MOST_SEGMENTS = 1_000  # an engine opens one: each names all the older ones
MOST_DAMAGES = 1_000
MOST_COMBINATIONS = 500_000  # each takes a thousand bytes of memory
MOST_FITS = 4_000_000  # combinations x splits; each takes some hundred bytes of memory, with its scores
MOST_LOST = 10_000  # combinations in a row whose announcement is lost
MOST_SPLITS = 1_000_000

Moment = Annotated[float, Meta(ge=0, le=253_402_300_799)]  # seconds since 1970, to the year 9999
Duration = Annotated[float, Meta(ge=0, le=1e15)]  # seconds, or expected ones
Finite = Annotated[float, Meta(ge=-1.7e308, le=1.7e308)]
Score = Annotated[float, Meta(ge=-1e100, le=1e100)]  # such that squares of their differences can be summed
Rate = Annotated[float, Meta(ge=-1e38, le=1e38)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Size = Annotated[int, Meta(ge=0, le=1 << 53)]  # bytes of a file, or a place in one
Checksum = Annotated[int, Meta(ge=0, lt=1 << 32)]
Number = Annotated[int, Meta(ge=0, lt=10_000_000)]  # of a combination, split, training or worker
Splits = Annotated[int, Meta(ge=1, le=MOST_SPLITS)]
Stage = Annotated[int, Meta(ge=0, lt=1_000)]
Epochs = Annotated[int, Meta(ge=0, le=100_000)]
Segment = Annotated[int, Meta(ge=1, lt=1_000_000_000)]  # as many digits as a segment's name may have
ProcessNumber = Annotated[int, Meta(ge=0, lt=1 << 32)]
Name = Annotated[str, Meta(max_length=1_000)]
Text = Annotated[str, Meta(max_length=100_000)]
LongText = Annotated[str, Meta(max_length=4 << 20)]  # as long as a worker's line may be
Place = Annotated[str, Meta(max_length=4_096)]  # a path
Scores = Annotated[dict[Name, Score | None], Meta(max_length=1_000)]
_Whole = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]
_Single = bool | _Whole | Finite | Name | None
Parameters = Annotated[
    dict[Name, bool | _Whole | Finite | Name | Annotated[list[_Single], Meta(max_length=10_000)] | None],
    Meta(max_length=1_000),
]
# Values as a spec writes them: their depth is checked before they are decoded.
Values = Annotated[dict[Name, Annotated[list[Any], Meta(max_length=100_000)]], Meta(max_length=1_000)]

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_INNERMOST = re.compile(rb"\[\]|\{\}")
_OTHER_BYTES = bytes(sorted(set(range(256)) - set(b"[]{}")))


def check_depth(text: bytes) -> None:
    """Raise ValueError for JSON that is nested deeper than DEEPEST, before a decoder descends into it."""
    if text.count(b"[") + text.count(b"{") <= DEEPEST:
        return
    brackets = _STRING.sub(b"", text).translate(None, _OTHER_BYTES)
    for _ in range(DEEPEST):
        brackets = _INNERMOST.sub(b"", brackets)
    if brackets:
        message = f"it is nested more than {DEEPEST} deep, or its brackets do not match"
        raise ValueError(message)
