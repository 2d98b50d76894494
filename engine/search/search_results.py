"""What can be read of a search, while it runs, when it has ended, and when only its session is there."""

from __future__ import annotations

import contextlib
import copy
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.analysis import results
from engine.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from engine.analysis.confusion import Errors
    from engine.analysis.report.contents import Report
    from engine.analysis.selection.choices import CorrectedBest
    from engine.analysis.zoom import Zoom
    from engine.session.session import Session
    from engine.session.state import SearchState
    from engine.spec.spec import SearchSpec


class SearchResults(ABC):
    """Results of a search; which state they are worked out from, its subclass knows (`_known`).

    `session`: None as long as nothing is recorded.
    """

    def __init__(self, spec: SearchSpec, session: Session | None, data_dir: Path | None) -> None:
        self.spec, self.session, self._data_dir = spec, session, data_dir

    @abstractmethod
    def _known(self) -> contextlib.AbstractContextManager[SearchState]:
        """The state, which no other thread brings up to date meanwhile."""

    @property
    def state(self) -> SearchState:
        """What is known of the search: what its engine has published so far, else what its session has recorded.

        Its scores are on disk. While the search runs it does not change until it is read again, in any thread.
        """
        with self._known() as state:
            return state

    @property
    def best_index_(self) -> int:
        """Index of the best combination in `cv_results_`. Raises NoBestError."""
        with self._known() as state:
            return results.best_of(state).index

    @property
    def best_params_(self) -> dict[str, Any]:
        """Parameters of the best combination. Raises NoBestError."""
        with self._known() as state:
            return dict(results.best_of(state).params)

    @property
    def best_score_(self) -> float:
        """Mean of the first metric of the best combination over the folds. Raises NoBestError."""
        with self._known() as state:
            return results.best_of(state).mean(state.scoring[0])[0]

    def corrected_best(self) -> CorrectedBest:
        """The best score with its interval, corrected for having been chosen, and what may be as good; worked out anew.

        Dropped combinations count as far as they came; how many could not be judged is a part of the result.
        Raises NoBestError, and NotAvailableError for a metric that cannot be worked out from kept predictions.
        """
        from engine.analysis.selection.corrected import corrected_best

        with self._known() as state:
            results.best_of(state)
            assert self.session is not None
            return corrected_best(self.session, state)

    def honest_best(self) -> CorrectedBest:
        """What version 0.1 called `corrected_best`; deprecated."""
        warnings.warn("honest_best is called corrected_best now", DeprecationWarning, stacklevel=2)
        return self.corrected_best()

    def errors(self, combination: int | None = None, *, most: int = 10) -> Errors:
        """What a combination, else the best one, takes for what: by class, pair of classes and row, out of fold.

        Raises NoBestError, UsageError for a combination that is none, and NotAvailableError if it has no predictions.
        """
        from engine.analysis.confusion import errors_of

        if self.session is None:
            message = "the search has no session yet; start it first"
            raise UsageError(message)
        with self._known() as state:
            return errors_of(self.session, state, combination, most=most, data_dir=self._data_dir)

    @property
    def cv_results_(self) -> dict[str, Any]:
        """As scikit-learn's."""
        with self._known() as state:
            return results.cv_results(state)

    def report(self, pair: tuple[str, str] | None = None) -> Report:
        """Trends of the whole search so far: see `engine.analysis.report.contents.Report`.

        `pair`: the hyperparameters down and across its heat map. Raises UsageError before the search was started, or
        for a pair that does not vary.
        """
        from engine.analysis.report.contents import make_report

        if self.session is None:
            message = "nothing is recorded yet; start the search first"
            raise UsageError(message)
        with self._known() as state:
            known = copy.deepcopy(state)  # a report speaks of one moment, whenever it is written down
        return make_report(self.session, pair, known)

    def zoom(self, *, allow_large: bool = False) -> Zoom:
        """The search to run next, finer around what was good: `Search(search.zoom().spec)`.

        Raises as `engine.analysis.zoom`.
        """
        from engine.analysis.zoom import zoom

        with self._known() as state:
            return zoom(self.spec, state, allow_large=allow_large)

    def to_frame(self) -> pd.DataFrame:
        """`cv_results_` as a table, a row a combination."""
        with self._known() as state:
            return results.to_frame(state)
