"""What of a search was trained, and what is still to be trained, in parts of its cost: kept from event to event.

A reader of events does not know the plan, so trainings are told from the combinations: those that differ only in
`epochs`, by a schedule that does not stretch over them, share one on each split, and so do those of equal effect. Of a
strategy's later rounds nobody knows yet what they will allow: what counts is what may run now.
"""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.plan.cost import Cost, Parts, cost_of
from engine.plan.pace import Pace
from engine.spec.resolved import epochs_of, resolved_params_of
from engine.spec.schedules import depends_on_epochs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from engine.session.combination import CombinationState
    from engine.session.events import SearchStarted
    from engine.session.state import SearchState

SCRIPT = "script"  # the trainer of a script's fits: the script's own estimator
FEW = 16  # combinations that stand for those to come
_workloads: weakref.WeakKeyDictionary[SearchState, Workload] = weakref.WeakKeyDictionary()


def workload_of(state: SearchState) -> Workload | None:
    """What of the state's search is still to be trained; None before it began. The same object at every call."""
    if state.started is None:
        return None
    found = _workloads.get(state)
    if found is None:
        found = _workloads[state] = Workload(state, state.started)
    return found


@dataclass(eq=False, slots=True)
class _Group:
    """Combinations that one training a split serves; `waiting[split]`: the epochs that are still to be trained."""

    cost: Cost
    waiting: list[int]
    members: list[tuple[int, int]] = field(default_factory=list)  # epochs, combination


class Workload:
    """The trainings of a search whose state has begun; made by `workload_of`, and kept with the state.

    The reducer notes what was touched and what ended, which costs next to nothing; what follows from that is worked out
    when somebody asks.
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

    # What is asked

    @property
    def pace(self) -> Pace:
        """What the trainings that ended say of those to come."""
        if self._engines != self._state.engines:  # another engine goes on, maybe on another machine
            self._engines, self._pace = self._state.engines, Pace()
        while self._state.ended:
            combination, epochs, seconds = self._state.ended.popleft()
            self._pace.learn(self.parts(combination, epochs), seconds)
        return self._pace

    @property
    def parts_waiting(self) -> Parts:
        """Cost of all trainings that wait, added up part by part."""
        self._read()
        return self._parts

    @property
    def squares_waiting(self) -> float:
        """Sum of the squares of their costs."""
        self._read()
        return self._squares

    def __len__(self) -> int:
        """Number of trainings that wait."""
        self._read()
        return len(self._waiting)

    def waiting(self) -> Iterator[Parts]:
        """The cost of each training that waits."""
        self._read()
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
        self._read()
        saved: Parts = defaultdict(float)
        for group in {self._group(combination) for combination in dropped}:
            rest = [member for member in group.members if member[1] not in dropped]
            for split, epochs in enumerate(group.waiting):
                _add(saved, group.cost, epochs, 1)
                _add(saved, group.cost, self._epochs_waiting(rest, split), -1)
        return saved

    # How it is kept

    def _read(self) -> None:
        # Of a long record most combinations are complete when it is read: they need no group before something waits.
        groups = {self._group(index) for index in self._state.touched if index in self._group_of or self._waits(index)}
        self._state.touched.clear()
        for group in groups:
            for split in range(self._splits):
                epochs = self._epochs_waiting(group.members, split)
                if epochs != group.waiting[split]:
                    self._take(group, split, -1)
                    group.waiting[split] = epochs
                    self._take(group, split, 1)
        if not self._waiting:
            # Rounding leaves nothing behind.
            self._parts.clear()
            self._squares = 0.0

    def _waits(self, index: int) -> bool:
        return "waiting" in self._combinations[index].fits

    def _take(self, group: _Group, split: int, sign: int) -> None:
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
            if one.dropped or one.fits[split] != "waiting":
                continue
            if one.folds_allowed is not None and split >= one.folds_allowed:
                continue
            wanted = epochs if one.epochs_allowed is None else min(epochs, one.epochs_allowed)
            longest = max(longest, wanted - one.epochs_behind(split))
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
        params = combination.params
        shares = not depends_on_epochs(params)
        # A script shares no training between fits.
        key: object = combination.index
        if combination.trainer != SCRIPT:
            key = combination.trainer, repr([item for item in params.items() if not (shares and item[0] == "epochs")])
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group(self._cost(combination), [0] * self._splits)
        return group

    def _cost(self, combination: CombinationState) -> Cost:
        if combination.trainer == SCRIPT:
            return Cost({"script": float(_script_epochs(combination.params))}, {})
        try:
            return cost_of(resolved_params_of(combination.params), combination.trainer, self._rows, self._num_words)
        except (KeyError, TypeError, ValueError, ArithmeticError):
            # A record may hold what no spec would accept; then all such trainings are taken to be alike.
            return Cost({}, {"unknown": 1.0})


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
