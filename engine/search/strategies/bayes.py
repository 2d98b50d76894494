"""Bayesian optimization: after some combinations drawn at random, Optuna proposes one after the other.

TPE, the tree-structured Parzen estimator: Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"; here
over all dimensions together, as in Falkner et al. 2018, "BOHB". Or a Gaussian process: Snoek, Larochelle and Adams
2012, "Practical Bayesian optimization of machine learning algorithms"; dimensions that only some combinations have are
then drawn at random. Optuna works in the engine's process and records nothing: every proposal follows from the scores
in the journal alone.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from engine.errors import SpecError
from engine.search.strategies.interface import Candidate, Decision
from engine.spec.combinations import draw
from engine.spec.resolved import resolved_params_of
from engine.spec.strategy_options import packages_of

if TYPE_CHECKING:
    from engine.search.strategies.optuna_study import OptunaSampler
    from engine.session.state import SearchState
    from engine.spec.combinations import Params
    from engine.spec.resolved import ResolvedParams
    from engine.spec.spec import SearchSpec

_TRIES = 10  # proposals, of which one has to be unlike all earlier combinations; then one is drawn
_SPARE = 1_000  # drawn beyond as many as there are, so that one is new unless there is hardly any


class Bayes:
    """Has combination n proposed once 0 to n - `lag` are finished, from the scores of exactly those.

    The `lag` - 1 combinations between count as pending, whether or not they are finished by then: so neither the number
    of workers nor an interruption changes a proposal. A combination that diverged counts as worse than every score; one
    that failed or was dropped does not count.
    """

    name = "bayes"

    def __init__(self, spec: SearchSpec, total: int) -> None:
        self._spec, self._total = spec, total
        self._lag: int = spec.choice.options["lag"]
        self.sampler: OptunaSampler | None = None
        self._tried: set[ResolvedParams] = set()
        self._read = 0  # combinations whose parameters are in `_tried`

    def first(self, combination: int) -> tuple[int | None, int | None]:
        """All epochs, all folds."""
        return None, None

    def to_come(self, combinations: int) -> list[int]:
        """As many as the spec asks for, or as there are, less those drawn."""
        return [0] * (self._total - combinations)

    def ask(self, state: SearchState) -> Decision | None:
        """The next combination, once those that it is to be chosen from are finished."""
        if not state.combinations_to_come:
            return None
        finished = state.combinations[: max(0, len(state.combinations) + 1 - self._lag)]
        # The latest first: one of them is the likeliest to run still.
        if not all(one.status.is_finished for one in reversed(finished)):
            return None
        params = self._next(state, len(finished))
        if params is None:
            return Decision("every other combination would be trained as an earlier one")
        return Decision(
            words=f"combination {len(state.combinations)} chosen by {sum(one.is_complete for one in finished)} scores",
            added=(Candidate(params),),
            to_come=state.combinations_to_come - 1,
        )

    def _next(self, state: SearchState, finished: int) -> Params | None:
        """Optuna's first proposal that is new; else one drawn at random; None if every combination was tried."""
        from engine.search.strategies.optuna_study import OptunaSampler, observations_of

        if self.sampler is None:
            self.sampler = OptunaSampler(self._spec.spaces, self._spec.choice.options["sampler"])
        count = len(state.combinations)
        self._tried.update(resolved_params_of(one.params) for one in state.combinations[self._read :])
        self._read = count
        observations = observations_of(state, finished)
        for attempt in range(_TRIES):
            params = self.sampler.ask(observations, (self._spec.seed, count, attempt))
            if resolved_params_of(params) not in self._tried:
                return params
        drawn = draw(self._spec.spaces, count + _SPARE, self._spec.seed)
        return next((params for params in drawn if resolved_params_of(params) not in self._tried), None)

    def notes(self, combinations: int) -> list[str]:
        """How many are drawn, how many are chosen, and how many can run at a time."""
        return [
            f"{self.name}: {combinations} combinations are drawn at random, then {self._total - combinations} chosen "
            f"one by one, each by the scores of all but the latest {self._lag - 1} before it"
        ]


def check_optuna(spec: SearchSpec) -> None:
    """Raises SpecError where a spec needs Optuna, or PyTorch for it, which is not installed; imports nothing."""
    packages = packages_of(spec.strategy)
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        extra = "gp" if "torch" in packages else "bayes"
        accepted = f'other strategies here; this one needs {" and ".join(missing)}: pip install "foldwatch[{extra}]"'
        raise SpecError("strategy.bayes", spec.choice.count, accepted)
