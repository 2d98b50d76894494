"""From coarse to fine: the space around what was good in a search, as the spec of the next one.

Good are the combinations whose mean is within the noise of the best one's: a one-standard-error rule (Breiman et al.,
"Classification and Regression Trees", 1984, section 3.4.3). The noise is the standard error of a difference from the
best, paired by fold as in `engine.analysis.trends.top`; its median over all other combinations, since few folds make a
single one unsure. Only combinations of the last stage that has any count: complete ones, and those that the strategy
dropped, taken to end as far behind the best one as they were on what both had been trained.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as replace_fields

from engine.analysis.refinement import Refinement, Trial, refine
from engine.analysis.trends.complete import complete_combinations
from engine.analysis.trends.levels import is_number
from engine.analysis.trends.top import paired_error
from engine.errors import UsageError
from engine.plan.plan import expected_fold_rows, make_plan
from engine.plan.sharing import effect_of
from engine.spec.catalogue import (
    EPOCHS_ARGUMENT,
    HYPERPARAMETERS,
    LEARNING_RATE,
    LIST_ARGUMENTS,
    OPTIMIZERS,
    SCHEDULES,
    Anything,
    Kind,
    Number,
    Word,
    head_of,
    is_argument,
)
from engine.spec.combinations import combinations_of
from engine.spec.resolved import resolved_params_of
from engine.spec.space import Axis, Distribution, grid_size
from engine.spec.spec import SearchSpec
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from engine.plan.plan import Plan
    from engine.session.state import SearchState

LEAST_COMBINATIONS = 3
_TABLE_KEYS = {"optimizer": "name", "learning_rate": "schedule"}


@dataclass(frozen=True)
class Zoom:
    """The proposed search, and what was done to each hyperparameter.

    `plan`: what it means; `scored`: its combinations that are scored on every fold already.
    """

    spec: SearchSpec
    refinements: list[Refinement]
    plan: Plan
    scored: list[int]

    @property
    def lines(self) -> list[str]:
        """What was done to each hyperparameter, and why."""
        return [str(refinement) for refinement in self.refinements]

    @property
    def rest(self) -> Plan:
        """The plan of the combinations that are not scored yet."""
        known = set(self.scored)
        return make_plan(self.spec, [one.params for one in self.plan.combinations if one.index not in known])


@dataclass(frozen=True)
class _Complete:
    """A combination with the mean of its first metric."""

    params: dict[str, Any]
    score: float
    is_good: bool


def zoom(spec: SearchSpec, state: SearchState, *, allow_large: bool = False) -> Zoom:
    """The search to run next, with the data, rows, folds and seed of this one, so that equal fits are taken over.

    `allow_large`: as a spec says it. Raises SpecError where the proposal has more combinations than it may,
    UsageError below `LEAST_COMBINATIONS` complete combinations, or where nothing is left to be refined.
    """
    combinations, noise = _complete(state)
    groups = [group for group in _groups(spec, combinations) if any(one.is_good for one in group[1])]
    spaces: list[dict[str, Any]] = []
    refinements: list[Refinement] = []
    for number, (axes, members) in enumerate(groups, start=1):
        space, refined = _Refiner(spec, axes, members, noise).space()
        spaces.append(space)
        prefix = f"space {number}: " if len(groups) > 1 else ""
        refinements += [replace(one, name=f"{prefix}{one.name}") for one in refined]
    if allow_large:
        spec = replace_fields(spec, allow_large=True)
    proposed = _spec(spec, spaces[0] if len(spaces) == 1 else spaces)
    plan = make_plan(proposed, combinations_of(proposed))
    scored = _scored(plan, proposed, state, len(spec.stages) - 1)
    if len(scored) == len(plan.combinations):
        message = "nothing is left to be refined: every combination around the best is scored already"
        if borders := _borders(max(combinations, key=lambda one: one.score), refinements):
            message += (
                f"; the best has the outermost {', '.join(borders)}, which made no difference beyond the noise: "
                "to look further out, run a spec with such values"
            )
        raise UsageError(message)
    return Zoom(proposed, refinements, plan, scored)


def _borders(best: _Complete, refinements: Sequence[Refinement]) -> list[str]:
    """Numbers of the best combination beyond which nothing was searched, and nothing is proposed."""
    borders = []
    for one in refinements:
        numbers, value = sorted(filter(is_number, one.tried)), best.params.get(one.name)
        if len(numbers) > 1 and value in (numbers[0], numbers[-1]):
            borders.append(f"{one.name} ({show_value(value)})")
    return borders


def _complete(state: SearchState) -> tuple[list[_Complete], float]:
    """Complete combinations of the last stage that has any, with what the strategy dropped there, and the noise."""
    complete = complete_combinations(state)
    dropped = _dropped(state)
    if not complete or len(complete) + len(dropped) < LEAST_COMBINATIONS:
        message = (
            f"too few combinations are complete on every fold to zoom into: {len(complete)}; "
            f"at least {LEAST_COMBINATIONS} are needed, those included that the strategy dropped"
        )
        raise UsageError(message)
    best = max(range(len(complete)), key=complete.means.__getitem__)
    others = [scores for row, scores in enumerate(complete.fold_scores) if row != best]
    errors = [paired_error(complete.fold_scores[best], scores) for scores in others]
    errors = errors or [error for one in dropped if math.isfinite(error := paired_error(one.ahead, one.own))]
    noise = statistics.median(errors) if errors else 0.0
    means = dict(zip(complete.indices, complete.means, strict=True))
    means |= {one.index: complete.means[best] - one.behind for one in dropped}
    members = [
        _Complete(state.combinations[index].params, mean, mean >= complete.means[best] - noise)
        for index, mean in means.items()
    ]
    return members, noise


@dataclass(frozen=True)
class _Dropped:
    """A combination that the strategy dropped: its scores, and those of the best one on the same folds and epochs."""

    index: int
    own: list[float]
    ahead: list[float]

    @property
    def behind(self) -> float:
        """How far it was behind the best when it was dropped, taken for how far it would have ended behind."""
        return statistics.fmean(self.ahead) - statistics.fmean(self.own)


def _dropped(state: SearchState) -> list[_Dropped]:
    best = state.best
    if best is None:
        return []
    strategies = {decided.strategy for decided in state.rounds}
    dropped = []
    for one in state.combinations:
        if one.is_complete or one.stage != best.stage or one.dropped not in strategies:
            continue
        metric = state.scoring[0]
        looks = [(one.scores_of(metric), best.scores_of(metric))]
        looks += [(one.rung_scores(epochs), best.rung_scores(epochs)) for epochs in reversed(one.rung_epochs)]
        for own, ahead in looks:
            pairs = [(mine, its) for mine, its in zip(own, ahead, strict=False) if mine is not None and its is not None]
            if pairs:
                dropped.append(_Dropped(one.index, [mine for mine, _ in pairs], [its for _, its in pairs]))
                break
    return dropped


def _groups(spec: SearchSpec, combinations: Sequence[_Complete]) -> list[tuple[tuple[Axis, ...], list[_Complete]]]:
    """Combinations by the space that they come from, and by the hyperparameters that they name."""
    spaces = spec.spaces
    several = len(spaces) > 1
    groups: dict[tuple[int, frozenset[str]], list[_Complete]] = {}
    for one in combinations:
        origin = max(range(len(spaces)), key=lambda at: _likeness(one.params, spaces[at])) if several else 0
        names = frozenset(name for name in one.params if not is_argument(name))
        groups.setdefault((origin, names), []).append(one)
    return [(spaces[origin], members) for (origin, _), members in sorted(groups.items(), key=lambda pair: pair[0][0])]


def _likeness(params: dict[str, Any], axes: Sequence[Axis]) -> int:
    """The hyperparameters of a space whose values a combination has, less those of which it has another."""
    return sum(1 if any(_has(params, option) for option in axis.options) else -1 for axis in axes)


def _has(params: dict[str, Any], option: dict[str, Any]) -> bool:
    for name, value in option.items():
        actual = params.get(name)
        if isinstance(value, Distribution):
            if not is_number(actual) or not value.low <= params[name] <= value.high:
                return False
        elif actual != value:
            return False
    return True


@dataclass(frozen=True)
class _Refiner:
    """One space anew, from the combinations that came from it."""

    spec: SearchSpec
    axes: tuple[Axis, ...]
    members: list[_Complete]
    noise: float

    def space(self) -> tuple[dict[str, Any], list[Refinement]]:
        """The space, and what was done to its hyperparameters."""
        space: dict[str, Any] = {}
        refinements: list[Refinement] = []
        for name in sorted(name for name in self.members[0].params if not is_argument(name)):
            refinement = self._refined(name, name, self.members, self._kind(name))
            refinements.append(refinement)
            space[name] = []
            for value in refinement.proposed:
                if name in _TABLE_KEYS and isinstance(value, str):
                    tables, more = self._tables(name, value)
                    space[name] += tables
                    refinements += more
                else:
                    space[name].append(value)
        return {name: _unwrapped(values) for name, values in space.items()}, refinements

    def _tables(self, head: str, word: str) -> tuple[list[Any], list[Refinement]]:
        """An optimizer or a schedule with its arguments: a table for each set of arguments that it came with."""
        tables: list[Any] = []
        refinements: list[Refinement] = []
        by_arguments: dict[tuple[str, ...], list[_Complete]] = {}
        for one in self.members:
            if one.params[head] == word:
                arguments = tuple(sorted(name for name in one.params if name.startswith(f"{head}__")))
                by_arguments.setdefault(arguments, []).append(one)
        for arguments, members in by_arguments.items():
            good = [one for one in members if one.is_good]
            if not good:
                continue
            if any(_argument(name) in LIST_ARGUMENTS for name in arguments):
                # Lists that belong together: no value of one goes with any value of the other.
                kept = [{name: [one.params[name]] for name in arguments} for one in good]
                tables += [_table(head, word, fields) for n, fields in enumerate(kept) if fields not in kept[:n]]
                continue
            fields = {}
            for name in arguments:
                kind = _argument_kind(head, word, _argument(name))
                refinement = self._refined(f"{word} {_argument(name)}", name, members, kind)
                refinements.append(refinement)
                fields[name] = refinement.proposed
            tables.append(_table(head, word, fields))
        return tables, refinements

    def _refined(self, shown: str, name: str, members: Sequence[_Complete], kind: Kind) -> Refinement:
        best = _without(name, max(members, key=lambda one: one.score).params)
        trials = [
            Trial(one.params[name], one.score, one.is_good, _without(name, one.params) == best) for one in members
        ]
        return refine(shown, trials, kind, self.noise, self._drawn(name, members[0].params))

    def _drawn(self, name: str, params: dict[str, Any]) -> Distribution | None:
        """The range that a hyperparameter was drawn from; the whole of them if there were several."""
        head = head_of(name)
        ranges: list[Distribution] = [
            option[name]
            for axis in self.axes
            if axis.name == head
            for option in axis.options
            if isinstance(option.get(name), Distribution) and (name == head or option[head] == params[head])
        ]
        if not ranges:
            return None
        low, high = min(one.low for one in ranges), max(one.high for one in ranges)
        return replace(ranges[0], low=low, high=high, log=ranges[0].log and low > 0)

    def _kind(self, name: str) -> Kind:
        if name == "batch_size":
            return Number(1, min(expected_fold_rows(self.spec)), integer=True)
        if name == "optimizer":
            return Word(tuple(OPTIMIZERS))
        if self.spec.network.takes(name):
            return Anything()
        return LEARNING_RATE if name == "learning_rate" else HYPERPARAMETERS[name][0]


def _without(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """All but a hyperparameter and its arguments."""
    return {other: value for other, value in params.items() if other != name and not other.startswith(f"{name}__")}


def _argument(name: str) -> str:
    return name.partition("__")[2]


def _argument_kind(head: str, word: str, argument: str) -> Kind:
    if head == "optimizer":
        return OPTIMIZERS[word].arguments[argument][0]
    schedule = SCHEDULES[word]
    if argument in schedule.required:
        return schedule.required[argument]
    return schedule.optional[argument][0] if argument in schedule.optional else EPOCHS_ARGUMENT


def _table(head: str, word: str, fields: dict[str, list[Any]]) -> Any:
    """As a space writes it: a word alone where it has no arguments, unless it is a schedule."""
    if not fields and head == "optimizer":
        return word
    return {_TABLE_KEYS[head]: word, **{_argument(name): _unwrapped(values) for name, values in fields.items()}}


def _unwrapped(values: list[Any]) -> Any:
    """A range alone goes without a list around it."""
    return values[0] if len(values) == 1 and isinstance(values[0], dict) and "low" in values[0] else values


def _spec(spec: SearchSpec, space: dict[str, Any] | list[dict[str, Any]]) -> SearchSpec:
    """The search in another space: on the rows of the last stage at once, and as a grid where that is smaller."""
    stages = spec.stages
    values = {**spec.to_values(), "space": space, "stage": [], "subsample": stages[-1].subsample}
    choice = spec.choice
    if len(stages) > 1 and choice.name not in ("grid", "random"):
        values["strategy"] = "grid" if choice.count is None else {"random": choice.count}
        choice = SearchSpec.from_values({**values, "space": {}}).choice
    if choice.name == "random":
        spaces = SearchSpec.from_values(values).spaces
        drawn = any(axis.has_distribution for axes in spaces for axis in axes)
        if not drawn and choice.count is not None and grid_size(spaces) <= choice.count:
            values["strategy"] = "grid"
    return SearchSpec.from_values(values)


def _scored(plan: Plan, spec: SearchSpec, state: SearchState, stage: int) -> list[int]:
    """Combinations of a plan whose every fit is scored in a search that has its folds in this stage."""
    rows = expected_fold_rows(spec)
    known = {
        effect_of(resolved_params_of(one.params), one.trainer, rows)
        for one in state.combinations
        if one.stage == stage and one.is_complete
    }
    return [
        one.index for one in plan.combinations if effect_of(resolved_params_of(one.params), one.trainer, rows) in known
    ]
