"""What Optuna proposes to try next: a study in memory, of the combinations so far, with one of its samplers."""

from __future__ import annotations

import contextlib
import enum
import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import optuna
from optuna.trial import TrialState, create_trial

from engine.search.strategies.dimensions import Dimensions
from engine.session.combination import CombinationStatus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.session.combination import CombinationState
    from engine.session.state import SearchState
    from engine.spec.combinations import Params
    from engine.spec.space import Axis


class NoScore(enum.Enum):
    """Why a combination has no score, as Optuna is to count it."""

    PENDING = TrialState.RUNNING
    DIVERGED = TrialState.PRUNED  # ranks after every score
    FAILED = TrialState.FAIL  # counts for nothing


class Observation(NamedTuple):
    """A combination's parameters, and its score, the higher the better, or why it has none."""

    params: Params
    result: float | NoScore

    @property
    def state(self) -> TrialState:
        """The state of Optuna's trial of it."""
        return self.result.value if isinstance(self.result, NoScore) else TrialState.COMPLETE

    @property
    def score(self) -> float | None:
        """The score, if there is one."""
        return None if isinstance(self.result, NoScore) else self.result


def observations_of(state: SearchState, finished: int) -> list[Observation]:
    """All combinations of a search; the first `finished` ones have ended, the others count as pending."""
    results = [_result_of(one, state.scoring[0]) for one in state.combinations[:finished]]
    results += [NoScore.PENDING] * (len(state.combinations) - finished)
    return [Observation(one.params, result) for one, result in zip(state.combinations, results, strict=True)]


def _result_of(combination: CombinationState, metric: str) -> float | NoScore:
    if combination.is_complete:
        mean = combination.mean(metric)[0]
        return NoScore.DIVERGED if math.isnan(mean) else mean
    return NoScore.DIVERGED if combination.status is CombinationStatus.DIVERGED else NoScore.FAILED


class OptunaSampler:
    """One of Optuna's samplers, "tpe" or "gp", for some spaces: equal observations and seeds give equal proposals.

    A study of many observations takes Optuna long, so it is kept and grows: by new observations, and by the results of
    pending ones. Where anything else has changed it is built anew. Its own earlier proposals count as failed, which
    both samplers ignore.
    """

    def __init__(self, spaces: Sequence[tuple[Axis, ...]], sampler: str = "tpe") -> None:
        self._dimensions = Dimensions(spaces)
        self._uses_process = sampler == "gp"
        self._study: optuna.Study | None = None
        self._observed: list[Observation] = []
        self._numbers: list[int | None] = []  # the trial of each; None: it lies beyond the space
        self._trials = 0

    def ask(self, observations: Sequence[Observation], seed: Sequence[int]) -> Params:
        """The parameters to try next; `observations` are in the order of the combinations."""
        with _quiet():
            study = self._study_of(_with_scores(observations) if self._uses_process else observations)
            study.sampler = self._sampler(seed)
            trial = study.ask()
            self._trials += 1
            params = self._dimensions.suggest(trial)
            study.tell(trial, state=TrialState.FAIL)
        return params

    def _study_of(self, observations: Sequence[Observation]) -> optuna.Study:
        known = list(zip(self._observed, observations, strict=False))
        if self._study is None or len(observations) < len(self._observed) or not all(_follows(*pair) for pair in known):
            self._study = optuna.create_study(direction="maximize")
            self._numbers, self._trials, known = [], 0, []
        for index, (before, now) in enumerate(known):
            number = self._numbers[index]
            if now.result != before.result and number is not None:
                self._study.tell(number, now.score, now.state)
        for one in observations[len(known) :]:
            self._numbers.append(self._add(self._study, one))
        self._observed = list(observations)
        return self._study

    def _add(self, study: optuna.Study, one: Observation) -> int | None:
        chosen = self._dimensions.locate(one.params)
        if chosen is None:
            return None  # somebody added it to the search
        distributions = {name: self._dimensions.distributions[name] for name in chosen}
        study.add_trial(create_trial(params=chosen, distributions=distributions, state=one.state, value=one.score))
        self._trials += 1
        return self._trials - 1

    def _sampler(self, seed: Sequence[int]) -> optuna.samplers.BaseSampler:
        number = int(np.random.SeedSequence(seed).generate_state(1)[0])
        if self._uses_process:
            return optuna.samplers.GPSampler(seed=number, n_startup_trials=1, warn_independent_sampling=False)
        return optuna.samplers.TPESampler(
            seed=number,
            n_startup_trials=0,  # those at random are drawn already
            multivariate=True,
            group=self._dimensions.is_conditional,
            constant_liar=True,
        )


def _with_scores(observations: Sequence[Observation]) -> list[Observation]:
    """What diverged gets the lowest score of all: a Gaussian process cannot rank it any other way."""
    lowest = min((one.result for one in observations if isinstance(one.result, float)), default=0.0)
    return [Observation(one.params, lowest) if one.result is NoScore.DIVERGED else one for one in observations]


def _follows(before: Observation, now: Observation) -> bool:
    """Whether an observation can have become another one: it is the same, or was pending."""
    return before.params == now.params and before.result in (now.result, NoScore.PENDING)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna without its log, and without the warning that `group` is new; as it was before, afterwards."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)
