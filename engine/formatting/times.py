"""Durations and moments as people write them."""

from __future__ import annotations

from datetime import datetime


def in_words(seconds: float) -> str:
    """0:06, 12:30, 3:05:00 or, from a hundred hours on, 6.2 days."""
    if seconds >= DAYS_FROM:
        return f"{seconds / 86_400:.1f} days"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def moment_in_words(at: float) -> str:
    """18:00:00, with the date in front where that is not today."""
    moment, today = datetime.fromtimestamp(at), datetime.now()
    return f"{moment:%H:%M:%S}" if moment.date() == today.date() else f"{moment:%Y-%m-%d %H:%M:%S}"


DAYS_FROM = 100 * 3600.0
