"""Whether a script's search asks for the same fits in its next run."""

from __future__ import annotations

from typing import Any


def unseeded(caller: Any) -> str:
    """What to seed so that scores can be taken over by the next run; nothing where all is seeded, or not to be seen."""
    splitter = getattr(caller, "cv", None)
    if getattr(splitter, "shuffle", True) and _has_no_seed(splitter):
        what = f"{type(splitter).__name__}(random_state=...)"
    elif hasattr(caller, "param_distributions") and _has_no_seed(caller):
        what = f"{type(caller).__name__}(random_state=...)"
    else:
        return ""
    return f"the next run of this script can take over no score, for its fits will be others; seed: {what}"


def _has_no_seed(value: Any) -> bool:
    return hasattr(value, "random_state") and value.random_state is None
