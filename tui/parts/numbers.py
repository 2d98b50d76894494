"""Numbers as the screens write them: scores, durations, sizes and bars, each in a width that holds."""

from __future__ import annotations

import math

from engine.formatting.times import in_words

__all__ = [
    "at_rung",
    "bar",
    "in_words",
    "interval",
    "score",
    "seconds",
    "size",
    "sparkline",
    "spinner",
    "with_deviation",
]

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def score(value: float | None, width: int = 6) -> str:
    """A score with four digits after the point, fewer where it would not fit; nothing for None."""
    if value is None or math.isnan(value):
        return ""
    for places in (4, 3, 2, 1, 0):
        text = f"{value:.{places}f}"
        if len(text) <= width:
            return text
    return f"{value:.0e}"


def at_rung(epochs: int, value: float | None) -> str:
    """`.7312@4`: a score on the way, and after how many epochs."""
    return f"{score(value).removeprefix('0') or 'undef.'}@{epochs}"


def with_deviation(mean: float | None, deviation: float | None) -> str:
    """`0.8045 ± .0032`; nothing where there is no mean."""
    if mean is None:
        return ""
    return f"{score(mean)} ± {score(deviation or 0.0).removeprefix('0')}"


def seconds(value: float | None) -> str:
    """Training time: `8.1 s` below a minute, then `12:30`."""
    if value is None:
        return ""
    return f"{value:.1f} s" if value < 60 else in_words(value)


def size(value: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def interval(least: float, most: float) -> str:
    """`4 to 6 s`, `3 to 5 min`, `1.5 to 2.0 h`: an interval no finer than it is known."""
    if most < 100:
        low, high = round(least), max(1, math.ceil(most))
        return f"{high} s" if low == high else f"{low} to {high} s"
    if most < 100 * 60:
        low, high = round(least / 60), max(1, math.ceil(most / 60))
        return f"{high} min" if low == high else f"{low} to {high} min"
    return f"{least / 3600:.1f} to {most / 3600:.1f} h"


def bar(share: float, width: int) -> tuple[str, str]:
    """The done and the open part of a progress bar."""
    halves = round(max(0.0, min(1.0, share)) * width * 2)
    done = "━" * (halves // 2) + ("╸" if halves % 2 else "")
    return done, "─" * (width - len(done))


def spinner(step: int) -> str:
    """A spinner that turns only when something happened."""
    return SPINNER[step % len(SPINNER)]


_BLOCKS = "▁▂▃▄▅▆▇█"


def sparkline(shares: list[float]) -> str:
    """A block a share (0 to 1)."""
    return "".join(_BLOCKS[min(7, max(0, int(share * 8)))] for share in shares)
