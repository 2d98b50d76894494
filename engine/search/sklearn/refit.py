"""The refit of a script's search: scikit-learn runs it in the script's own process, after the last fit."""

from __future__ import annotations

from typing import Any


class RefitWatch:
    """Watches a search object, a `BaseSearchCV`, from outside: its attributes say how far it is.

    Make one before the last fit ends, with the search object that asked for the fits.
    """

    def __init__(self, caller: Any) -> None:
        self._caller = caller
        self._results_before = vars(caller).get("cv_results_")
        self._best_before = vars(caller).get("best_params_")

    @property
    def best(self) -> int | None:
        """The combination that is refitted, once it is known."""
        known = vars(self._caller)
        if known.get("best_params_") is self._best_before:
            return None
        best = known.get("best_index_")
        return int(best) if best is not None else None

    @property
    def is_over(self) -> bool:
        """Whether the search object has its results, which it gets after the refit."""
        return vars(self._caller).get("cv_results_") is not self._results_before


def refits(caller: Any) -> bool:
    """Whether the search of this object ends with a refit."""
    return bool(getattr(caller, "refit", False)) and hasattr(caller, "__dict__")
