"""Changes of a running search: values added or dropped, a combination put first or copied, and any of it undone.

A request becomes a step: one event, which holds as a whole, and which `undo` takes back as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import SpecError, UsageError, shortened
from engine.session import requests
from engine.session.combination import FitStatus
from engine.spec.bounds import check_count, check_value
from engine.spec.catalogue import DEFAULT, is_argument
from engine.spec.combinations import grid
from engine.spec.space_of_one import combination_space
from engine.spec.spec import SearchSpec

if TYPE_CHECKING:
    from engine.session.state import SearchState

_LONGEST_LISTED = 1_000  # characters of the values that are there

Request = requests.AddValues | requests.DropValues | requests.PutFirst | requests.Clone | requests.Undo


@dataclass(frozen=True)
class Step:
    """What follows from a request. `first`: combinations that come before all others, in this order, from now on."""

    words: str
    added: Sequence[dict[str, Any]] = ()
    dropped: Sequence[int] = ()
    restored: Sequence[int] = ()
    first: Sequence[int] = ()
    widened: Mapping[str, list[Any]] = field(default_factory=dict)
    undoes: bool = False


def step_of(request: Request, spec: SearchSpec, state: SearchState) -> Step:
    """What a request means now. Raises SpecError or UsageError where it means nothing; then nothing has changed."""
    match request:
        case requests.AddValues():
            check_value(request.values, "add")
            return _add_values(request.values, spec, state, allow_large=request.allow_large or spec.allow_large)
        case requests.DropValues():
            check_value(request.value, "drop")
            return _drop_values(request.parameter, request.value, state)
        case requests.PutFirst():
            return _put_first(request.combination, state)
        case requests.Clone():
            check_value(request.changes, "clone")
            return _clone(request.combination, request.changes, spec, state)
        case requests.Undo():
            return _undo(state)


def check_retry(combination: int, state: SearchState) -> None:
    """Raises UsageError where nothing of a combination is left to be run: all its folds are scored or diverged."""
    _check(combination, state)
    one = state.combinations[combination]
    if one.is_complete:
        message = f"combination {combination} is complete; there is nothing to retry"
        raise UsageError(message)
    if all(status in (FitStatus.SCORED, FitStatus.DIVERGED) for status in one.statuses):
        message = f"combination {combination} diverged; with the same seed it would again"
        raise UsageError(message)


def check_skip(combination: int, state: SearchState) -> None:
    """Raises UsageError where nothing is missing of a combination."""
    _check(combination, state)
    status = state.combinations[combination].status
    if status.is_finished:
        message = f"combination {combination} is {status}; there is nothing to skip"
        raise UsageError(message)


def in_full(step: Step, state: SearchState) -> str:
    """A step in words, with the fits that it adds, drops or brings back."""
    touched = [state.combinations[index] for index in [*step.dropped, *step.restored]]
    fits = len(step.added) * state.splits + sum(not fit.status.is_finished for one in touched for fit in one.fits)
    return f"{step.words}, {fits} fit{'s' if fits != 1 else ''}" if fits else step.words


def _add_values(values: Mapping[str, list[Any]], spec: SearchSpec, state: SearchState, *, allow_large: bool) -> Step:
    """The new values with all values of the other hyperparameters, those included that were added before."""
    if spec.draws is not None:
        message = f"strategy {spec.choice.name} draws its combinations; add one by cloning another with changes"
        raise UsageError(message)
    spaces = [spec.space] if isinstance(spec.space, dict) else spec.space
    widened = [_widened(space, state) for space in spaces]
    changed = []
    for name, more in values.items():
        changed.append([{**space, name: more} for space in widened])
        widened = [_joined(space, {name: more}) for space in widened]
    general = {**spec.to_values(), "allow_large": allow_large}
    # Checked before any combination is built: what is to be added is a part of this, and may be too much.
    SearchSpec.from_values({**general, "space": widened})
    candidates: list[dict[str, Any]] = []
    for spaces_with in changed:
        candidates += grid(SearchSpec.from_values({**general, "space": spaces_with}).spaces)
    known = {_key(combination.params) for combination in state.combinations}
    added: list[dict[str, Any]] = []
    for params in candidates:
        # A grid can have thousands: each is looked up, not compared with all others.
        if (key := _key(params)) not in known:
            known.add(key)
            added.append(params)
    what = ", ".join(f"{name} {_listed(more)}" for name, more in values.items())
    if not added:
        message = f"{shortened(what)}: every such combination is there already"
        raise UsageError(message)
    _check_room(len(added), state, allow_large=allow_large)
    return Step(f"added {what}: {_count(added)}", added=added, first=state.first, widened=dict(values))


def _widened(space: Mapping[str, Any], state: SearchState) -> dict[str, Any]:
    """A space with the values that were added since the search began."""
    result = dict(space)
    for step in state.steps:
        result = _joined(result, step.widened)
    return result


def _joined(space: Mapping[str, Any], values: Mapping[str, list[Any]]) -> dict[str, Any]:
    result = dict(space)
    for name, more in values.items():
        before = result.get(name, [])
        listed = before if isinstance(before, list) else [before]
        result[name] = [*listed, *(value for value in more if value not in listed)]
    return result


def _drop_values(parameter: str, value: object, state: SearchState) -> Step:
    """Whatever is not finished of the combinations that have this value."""
    having = [one for one in state.combinations if parameter in one.params]
    affected = [one.index for one in having if one.params[parameter] == value]
    if value == DEFAULT and having and not is_argument(parameter):
        affected = [one.index for one in state.combinations if parameter not in one.params]
    if not affected:
        there = shortened(", ".join(sorted({_word(one.params[parameter]) for one in having})), _LONGEST_LISTED)
        named = shortened(parameter)
        message = f"no combination has {named} = {shortened(_word(value))}; {named} is: {there or 'in none of them'}"
        raise UsageError(message)
    dropped = [
        index
        for index in affected
        if not state.combinations[index].status.is_finished and not state.combinations[index].dropped
    ]
    if not dropped:
        message = f"all combinations with {shortened(parameter)} = {shortened(_word(value))} have ended"
        raise UsageError(message)
    return Step(f"dropped {parameter} {_word(value)}: {_count(dropped)}", dropped=dropped, first=state.first)


def _put_first(combination: int, state: SearchState) -> Step:
    _check(combination, state)
    if state.combinations[combination].status.is_finished:
        message = f"combination {combination} is {state.combinations[combination].status}"
        raise UsageError(message)
    first = [combination, *(index for index in state.first if index != combination)]
    return Step(f"combination {combination} comes first", first=first)


def _clone(combination: int, changes: Mapping[str, Any], spec: SearchSpec, state: SearchState) -> Step:
    """The combination with other values for some hyperparameters; it comes before what waits."""
    _check(combination, state)
    space = {**combination_space(state.combinations[combination].params), **changes}
    copies = grid(SearchSpec.from_values({**spec.to_values(), "strategy": "grid", "stage": [], "space": space}).spaces)
    if len(copies) != 1:
        raise SpecError("changes", dict(changes), "one value for each hyperparameter: a clone is one combination")
    index = next((one.index for one in state.combinations if one.params == copies[0]), None)
    if index is not None:
        message = f"that is combination {index}, which is there already"
        raise UsageError(message)
    _check_room(1, state, allow_large=spec.allow_large)
    words = f"added combination {combination} with {', '.join(f'{name} {_word(changes[name])}' for name in changes)}"
    return Step(words, added=copies, first=[len(state.combinations), *state.first])


def _check_room(added: int, state: SearchState, *, allow_large: bool) -> None:
    """Raises SpecError where a search would become too large."""
    combinations = len(state.combinations) + state.combinations_to_come + added
    check_count("add", combinations, combinations * state.splits, allow_large=allow_large)


def _undo(state: SearchState) -> Step:
    """The last step that was not taken back yet. What was scored meanwhile stays."""
    if not state.steps:
        message = "nothing was changed that could be undone"
        raise UsageError(message)
    last = state.steps[-1]
    before = state.steps[-2].first if len(state.steps) > 1 else []
    return Step(
        f"undone: {last.words}",
        dropped=[one.index for one in last.added if not state.combinations[one.index].status.is_finished],
        restored=[index for index in last.dropped if state.combinations[index].dropped],
        first=before,
        undoes=True,
    )


def _key(value: object) -> object:
    """Parameters as a value that can be hashed, equal for equal ones."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _key(item)) for name, item in value.items()))
    return tuple(_key(item) for item in value) if isinstance(value, list | tuple) else value


def _check(combination: int, state: SearchState) -> None:
    if not 0 <= combination < len(state.combinations):
        message = f"combination {combination} is not accepted; accepted: 0 to {len(state.combinations) - 1}"
        raise UsageError(message)


def _count(combinations: Sequence[object]) -> str:
    return f"{len(combinations)} combination{'s' if len(combinations) != 1 else ''}"


def _listed(values: Sequence[object]) -> str:
    return ", ".join(_word(value) for value in values)


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} {_word(item)}" for key, item in value.items()) + "}"
    return str(value)
