"""What could be left out of a search to save time, and what that may cost, on what has been scored so far."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.formatting.times import in_words
from engine.plan.workload import workload_of
from engine.spec.spelling import show_value

if TYPE_CHECKING:
    from engine.analysis.forecast.remaining import Forecast
    from engine.session.combination import CombinationState
    from engine.session.state import SearchState

_PROPOSED = 2
_LEAST_PAIRS = 2
_MOST_VALUES = 20  # of a parameter: to leave out one of more saves next to nothing


@dataclass(frozen=True)
class Saving:
    """The combinations with one value of a parameter left out.

    `above`: how much better the value has scored than `other`, the best of the others, in `pairs` pairs of fits that
    differ in nothing else; None where too few were scored.
    """

    name: str
    value: str
    combinations: int
    seconds: float
    other: str = ""
    above: float | None = None
    pairs: int = 0


def proposals(state: SearchState, expected: Forecast, left: float) -> list[str]:
    """In plain words, the cheapest first: values to leave out, and how much smaller a subsample would have to be."""
    needed = expected.estimate - left
    if needed <= 0:
        needed = expected.most - left
    savings = sorted(savings_of(state, expected), key=lambda one: _order(one, needed))
    sentences = [_in_words(one, state) for one in savings[:_PROPOSED]]
    # Where no time is left there may be nothing left to train either.
    share = math.floor(100 * left / expected.most / 5) * 5 if left > 0 else 0
    if 5 <= share < 100:
        sentences.append(f"a new search of {share} % of these rows (subsample) would end in time")
    return sentences


def _order(saving: Saving, needed: float) -> tuple[bool, float, float]:
    """Enough first; then what costs least in score, what is unknown last; then what saves least of what is enough."""
    enough = saving.seconds >= needed
    return (
        not enough,
        saving.above if saving.above is not None else math.inf,
        saving.seconds if enough else -saving.seconds,
    )


def savings_of(state: SearchState, expected: Forecast) -> list[Saving]:
    """What leaving out each value of each parameter would save, where some of its combinations are still to run."""
    workload = workload_of(state)
    if workload is None:
        return []
    workers = sum(worker.alive for worker in state.workers.values()) or (state.started.workers if state.started else 1)
    savings = []
    for name, by_value in _values(state).items():
        if not 1 < len(by_value) <= _MOST_VALUES:
            continue
        compared = _compared(state, name)
        for value, combinations in by_value.items():
            open_ones = {one.index for one in combinations if not one.status.is_finished}
            seconds = expected.fit.seconds(workload.saved_without(open_ones)) / workers
            if seconds > 0:
                other, above, pairs = compared.get(value, ("", None, 0))
                savings.append(Saving(name, value, len(open_ones), seconds, other, above, pairs))
    return savings


def _values(state: SearchState) -> dict[str, dict[str, list[CombinationState]]]:
    """parameter -> value, as it is shown -> its combinations."""
    by_parameter: dict[str, dict[str, list[CombinationState]]] = defaultdict(lambda: defaultdict(list))
    for combination in state.combinations:
        for name, value in combination.params.items():
            by_parameter[name][show_value(value)].append(combination)
    return by_parameter


def _compared(state: SearchState, name: str) -> dict[str, tuple[str, float | None, int]]:
    """Of each value: the best of the others, how much it scored above that, over how many pairs of fits.

    A pair is two fits on one split of combinations that differ in this parameter alone.
    """
    metric = state.scoring[0]
    alike: dict[str, dict[str, CombinationState]] = defaultdict(dict)
    for combination in state.combinations:
        rest = repr(sorted((key, show_value(value)) for key, value in combination.params.items() if key != name))
        if name in combination.params:
            alike[rest][show_value(combination.params[name])] = combination
    differences: dict[tuple[str, str], list[float]] = defaultdict(list)
    for group in alike.values():
        for one, combination in group.items():
            for other, another in group.items():
                if one != other:
                    pairs = zip(combination.scores_of(metric), another.scores_of(metric), strict=True)
                    differences[one, other] += [a - b for a, b in pairs if a is not None and b is not None]
    comparisons: dict[str, tuple[str, float | None, int]] = {}
    for (one, other), these in differences.items():
        if len(these) >= _LEAST_PAIRS:
            above = math.fsum(these) / len(these)
            known = comparisons.get(one)
            # Against the best of the others the value looks worst.
            if known is None or known[1] is None or above < known[1]:
                comparisons[one] = other, above, len(these)
    return comparisons


def _in_words(saving: Saving, state: SearchState) -> str:
    what = f"{saving.name}={saving.value}"
    count = f"{saving.combinations} combination{'s' if saving.combinations != 1 else ''}"
    text = f"dropping the {count} with {what} saves about {in_words(saving.seconds)}"
    if saving.above is None:
        return f"{text} (too little has been scored to say what that costs)"
    direction = "above" if saving.above >= 0 else "below"
    return (
        f"{text} (on what has been scored so far, {what} is {abs(saving.above):.4f} {direction} "
        f"{saving.name}={saving.other} in {state.scoring[0]}, over {saving.pairs} pairs of fits)"
    )
