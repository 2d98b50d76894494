"""What of a search was trained, and what is still to be trained, in parts of its cost: kept from event to event.

A reader of events does not know the plan, so the trainings are worked out from the combinations, by the rules of the
plan (`engine.plan.sharing`). Nobody knows yet what a strategy will allow in later rounds: what may run now is counted.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.plan.cost import Cost, Parts, cost_of
from engine.plan.pace import Pace
from engine.plan.sharing import effect_of, effect_of_training, epochs_due
from engine.session.combination import WAITING
from engine.spec.resolved import epochs_of, resolved_params_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from engine.session.combination import CombinationState
    from engine.session.events import SearchStarted
    from engine.session.state import SearchState

SCRIPT = "script"  # the trainer of a script's fits: the script's own estimator
FEW = 16  # combinations that stand for those to come
_workloads: weakref.WeakKeyDictionary[SearchState, Workload] = weakref.WeakKeyDictionary()


def workload_of(state: SearchState) -> Workload | None:
    """What is still to be trained in a search; None before it began. Each state has one, which every call returns."""
    if state.started is None:
        return None
    workload = _workloads.get(state)
    if workload is None:
        workload = _workloads[state] = Workload(state, state.started)
    return workload


@dataclass(eq=False, slots=True)
class _Group:
    """Combinations that one training a split serves; `waiting[split]`: the epochs that are still to be trained."""

    cost: Cost
    waiting: list[int]
    members: list[tuple[int, int]] = field(default_factory=list)  # epochs, combination


class Workload:
    """The trainings of a search whose state has begun; `workload_of` creates it and keeps it with the state.

    The reducer notes what was touched and what ended, which costs next to nothing; what follows from that is worked out
    when somebody reads it.
    """

    def __init__(self, state: SearchState, started: SearchStarted) -> None:
        self._state = weakref.proxy(state)
        self._combinations: Sequence[CombinationState] = state.combinations
        self._splits, self._num_words = started.splits, started.num_words
        self._rows = started.rows - -(-started.rows // (started.folds or started.splits))
        self._groups: dict[object, _Group] = {}
        self._group_of: dict[int, _Group] = {}
        state.touched.update(range(len(state.combinations)))
        self._engines = state.engines
        self._pace = Pace()
        self._waiting: dict[tuple[_Group, int], float] = {}  # cost in seconds
        self._parts: Parts = defaultdict(float)
        self._squares = 0.0

    # What others read

    @property
    def pace(self) -> Pace:
        """How fast trainings are, as learned from those that ended."""
        if self._engines != self._state.engines:  # another engine goes on, maybe on another machine
            self._engines, self._pace = self._state.engines, Pace()
        while self._state.ended:
            combination, epochs, seconds = self._state.ended.popleft()
            self._pace.learn(self.parts(combination, epochs), seconds)
        return self._pace

    @property
    def parts_waiting(self) -> Parts:
        """Cost of all trainings that wait, added up part by part."""
        self._update()
        return self._parts

    @property
    def squares_waiting(self) -> float:
        """Sum of the squares of their costs."""
        self._update()
        return self._squares

    def __len__(self) -> int:
        """Number of trainings that wait."""
        self._update()
        return len(self._waiting)

    def waiting(self) -> Iterator[Parts]:
        """The cost of each training that waits."""
        self._update()
        for group, split in self._waiting:
            yield group.cost.parts(group.waiting[split])

    def parts(self, combination: int, epochs: int) -> Parts:
        """The cost of a training of this combination for so many epochs."""
        return self._group(combination).cost.parts(epochs)

    def parts_to_come(self, combinations: int) -> Parts:
        """The cost of so many combinations that are not known yet, each as much as the first few on average."""
        few = self._combinations[:FEW] if combinations else []
        each = [self.parts(index, epochs_of(one.params)) for index, one in enumerate(few)]
        return average(each, combinations * self._splits)

    def saved_without(self, dropped: Collection[int]) -> Parts:
        """What would not have to be trained without these combinations; trainings that run are left to end."""
        self._update()
        saved: Parts = defaultdict(float)
        for group in {self._group(combination) for combination in dropped}:
            rest = [member for member in group.members if member[1] not in dropped]
            for split, epochs in enumerate(group.waiting):
                _add(saved, group.cost, epochs, 1)
                _add(saved, group.cost, self._epochs_waiting(rest, split), -1)
        return saved

    # How it is kept

    def _update(self) -> None:
        # Of a long record most combinations are complete when it is read: they need no group before something waits.
        groups = {self._group(index) for index in self._state.touched if index in self._group_of or self._waits(index)}
        self._state.touched.clear()
        for group in groups:
            for split in range(self._splits):
                epochs = self._epochs_waiting(group.members, split)
                if epochs != group.waiting[split]:
                    self._count(group, split, -1)
                    group.waiting[split] = epochs
                    self._count(group, split, 1)
        if not self._waiting:
            # Rounding leaves nothing behind.
            self._parts.clear()
            self._squares = 0.0

    def _waits(self, index: int) -> bool:
        return any(fit.status is WAITING for fit in self._combinations[index].fits)

    def _count(self, group: _Group, split: int, sign: int) -> None:
        epochs = group.waiting[split]
        if not epochs:
            return
        seconds = group.cost.seconds(epochs)
        _add(self._parts, group.cost, epochs, sign)
        self._squares += sign * seconds**2
        if sign > 0:
            self._waiting[group, split] = seconds
        else:
            del self._waiting[group, split]

    def _epochs_waiting(self, members: list[tuple[int, int]], split: int) -> int:
        longest = 0
        for epochs, index in members:
            one = self._combinations[index]
            due = epochs_due(one, split, epochs)
            if due:
                longest = max(longest, due - one.fits[split].epochs_behind)
        return longest

    def _group(self, index: int) -> _Group:
        group = self._group_of.get(index)
        if group is None:
            combination = self._combinations[index]
            group = self._group(combination.same_as) if combination.same_as is not None else self._alike(combination)
            group.members.append((epochs_of(combination.params), index))
            self._group_of[index] = group
        return group

    def _alike(self, combination: CombinationState) -> _Group:
        if combination.trainer == SCRIPT:  # it shares no training between fits
            return self._group_of_cost(Cost({"script": float(_script_epochs(combination.params))}, {}))
        try:
            resolved = resolved_params_of(combination.params)
            effect = effect_of(resolved, combination.trainer, (self._rows,))
            key: object = combination.stage, effect_of_training(effect)
            if key not in self._groups:
                cost = cost_of(resolved, combination.trainer, self._rows, self._num_words)
                self._groups[key] = self._group_of_cost(cost)
        except (LookupError, TypeError, ValueError, ArithmeticError):
            # A record may hold what no spec would accept; each such training is its own, and costs as much as others.
            key = repr(combination.params)
            self._groups.setdefault(key, self._group_of_cost(Cost({}, {"unknown": 1.0})))
        return self._groups[key]

    def _group_of_cost(self, cost: Cost) -> _Group:
        return _Group(cost, [0] * self._splits)


def _script_epochs(params: Mapping[str, Any]) -> int:
    """The epochs of a script's fit, where a parameter of a usual name says so; 1 where none does."""
    for name, value in params.items():
        if name.rpartition("__")[2] == "epochs" and isinstance(value, int) and value > 0:
            return value
    return 1


def average(each: Sequence[Parts], trainings: int) -> Parts:
    """The cost of so many trainings, each as much as these on average."""
    parts: Parts = {}
    for one in each if trainings else ():
        for name, seconds in one.items():
            parts[name] = parts.get(name, 0.0) + seconds * trainings / len(each)
    return parts


def _add(total: Parts, cost: Cost, epochs: int, sign: int) -> None:
    """A training of so many epochs; none of none."""
    if epochs:
        for name, seconds in cost.parts(epochs).items():
            total[name] = total.get(name, 0.0) + sign * seconds
