"""What is said where a key can do nothing for a search that lives in a script."""

from __future__ import annotations

from pathlib import Path

from engine.session.record import place_in_words

RESUME = "run that again to go on"
RETRY = "run that again to retry"
SAVE = "save best_estimator_ there"
ZOOM = "write finer values into its grid"
DUPLICATE = "copy that"
CHANGE = "change that and run it again"
DEADLINE = "it ends with that; x stops it earlier"


def lives_in(script: str, there: str) -> str:
    """One short line: where the search lives, and what to do there."""
    return f"this search lives in {place_in_words(Path(script).name)}: {there}"
