"""Questions to Optuna: an in-memory study of what is told, and what its sampler says to try next."""

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


class Answer(enum.Enum):
    """What is told of a combination that has no score."""

    PENDING = TrialState.RUNNING
    DIVERGED = TrialState.PRUNED  # ranks after every score
    FAILED = TrialState.FAIL  # counts for nothing


class Told(NamedTuple):
    """A combination's parameters, and its score, the higher the better, or what else there is to tell."""

    params: Params
    answer: float | Answer

    @property
    def state(self) -> TrialState:
        """The same as Optuna has it."""
        return self.answer.value if isinstance(self.answer, Answer) else TrialState.COMPLETE

    @property
    def score(self) -> float | None:
        """The score, if there is one."""
        return None if isinstance(self.answer, Answer) else self.answer


def told_of(state: SearchState, finished: int) -> list[Told]:
    """What there is to tell of a search whose first so many combinations are finished; the others are pending."""
    answers = [_answer(one, state.scoring[0]) for one in state.combinations[:finished]]
    answers += [Answer.PENDING] * (len(state.combinations) - finished)
    return [Told(one.params, answer) for one, answer in zip(state.combinations, answers, strict=True)]


def _answer(combination: CombinationState, metric: str) -> float | Answer:
    if combination.is_complete:
        mean = combination.mean(metric)[0]
        return Answer.DIVERGED if math.isnan(mean) else mean
    return Answer.DIVERGED if combination.status is CombinationStatus.DIVERGED else Answer.FAILED


class Questions:
    """Asks one of Optuna's samplers, "tpe" or "gp", about some spaces. Told the same with the same seed, it answers so.

    That many are told takes Optuna long, so the study is kept and grows: by what is told anew, and by how pending ones
    ended. It is made anew where anything else has changed. What it was asked before counts as failed, which for both
    is as if it had never been.
    """

    def __init__(self, spaces: Sequence[tuple[Axis, ...]], sampler: str = "tpe") -> None:
        self._dimensions = Dimensions(spaces)
        self._uses_process = sampler == "gp"
        self._study: optuna.Study | None = None
        self._told: list[Told] = []
        self._numbers: list[int | None] = []  # the trial of each; None: it lies beyond the space
        self._trials = 0

    def ask(self, told: Sequence[Told], seed: Sequence[int]) -> Params:
        """The parameters to try next; `told` of one combination after the other."""
        with _quiet():
            study = self._study_of(_with_scores(told) if self._uses_process else told)
            study.sampler = self._sampler(seed)
            trial = study.ask()
            self._trials += 1
            params = self._dimensions.suggest(trial)
            study.tell(trial, state=TrialState.FAIL)
        return params

    def _study_of(self, told: Sequence[Told]) -> optuna.Study:
        known = list(zip(self._told, told, strict=False))
        if self._study is None or len(told) < len(self._told) or not all(_follows(*pair) for pair in known):
            self._study = optuna.create_study(direction="maximize")
            self._numbers, self._trials, known = [], 0, []
        for index, (before, now) in enumerate(known):
            number = self._numbers[index]
            if now.answer != before.answer and number is not None:
                self._study.tell(number, now.score, now.state)
        for one in told[len(known) :]:
            self._numbers.append(self._add(self._study, one))
        self._told = list(told)
        return self._study

    def _add(self, study: optuna.Study, told: Told) -> int | None:
        chosen = self._dimensions.locate(told.params)
        if chosen is None:
            return None  # somebody added it
        distributions = {name: self._dimensions.distributions[name] for name in chosen}
        study.add_trial(create_trial(params=chosen, distributions=distributions, state=told.state, value=told.score))
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


def _with_scores(told: Sequence[Told]) -> list[Told]:
    """What diverged has the lowest score of all: a Gaussian process knows no other way to be worse than them."""
    lowest = min((one.answer for one in told if isinstance(one.answer, float)), default=0.0)
    return [Told(one.params, lowest) if one.answer is Answer.DIVERGED else one for one in told]


def _follows(before: Told, now: Told) -> bool:
    """Whether the one can have become the other."""
    return before.params == now.params and before.answer in (now.answer, Answer.PENDING)


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
