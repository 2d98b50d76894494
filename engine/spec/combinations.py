"""Spaces to ordered combinations: every one of a grid, or some drawn at random, as scikit-learn orders and draws."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from engine.spec.search_size import check_size
from engine.spec.space import Axis, Distribution, grid_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.spec.spec import SearchSpec

Params = dict[str, Any]


def combinations_of(spec: SearchSpec) -> list[Params]:
    """The flat parameters of every combination that the search begins with, in order.

    Raises SpecError for more than any search may have, which only a record can ask for.
    """
    check_size(spec.spaces, spec.choice, spec.stages, spec.splits, allow_large=True)
    if spec.draws is None:
        return grid(spec.spaces)
    return draw(spec.spaces, spec.draws, spec.seed)


def grid(spaces: Sequence[tuple[Axis, ...]]) -> list[Params]:
    """Every combination, as `sklearn.model_selection.ParameterGrid` orders them: the last name varies fastest."""
    return [_merge(options) for axes in spaces for options in itertools.product(*(axis.options for axis in axes))]


def draw(spaces: Sequence[tuple[Axis, ...]], count: int, seed: int) -> list[Params]:
    """`count` combinations as `sklearn.model_selection.ParameterSampler` draws them.

    Without replacement where every axis is a list (all of them if there are no more than `count`), with it else.
    """
    from sklearn.model_selection import ParameterSampler

    if not any(axis.has_distribution for axes in spaces for axis in axes):
        count = min(count, grid_size(spaces))
    sampler = ParameterSampler([_sampled(axes) for axes in spaces], count, random_state=seed)
    return [_drawn(sample) for sample in sampler]


def _sampled(axes: tuple[Axis, ...]) -> dict[str, Any]:
    """What the sampler draws: an option of each axis, and a value for every distribution inside an option."""
    sampled: dict[str, Any] = {}
    for axis in axes:
        if len(axis.options) == 1 and list(axis.options[0]) == [axis.name] and axis.has_distribution:
            sampled[axis.name] = _frozen(axis.options[0][axis.name])
            continue
        sampled[axis.name] = list(enumerate(axis.options))
        for i, option in enumerate(axis.options):
            for name, value in option.items():
                if isinstance(value, Distribution):
                    sampled[f"{axis.name} {i} {name}"] = _frozen(value)
    return sampled


def _drawn(sample: dict[str, Any]) -> Params:
    params: Params = {}
    for name, drawn in sorted(sample.items()):
        if isinstance(drawn, tuple):
            number, option = drawn
            for parameter, value in option.items():
                nested = isinstance(value, Distribution)
                params[parameter] = sample[f"{name} {number} {parameter}"] if nested else value
        elif " " not in name:
            params[name] = drawn
    return params


def _frozen(distribution: Distribution) -> Any:
    """The distribution as scikit-learn takes it."""
    from scipy import stats

    low, high = distribution.low, distribution.high
    if distribution.integer and not distribution.log:
        return _Python(stats.randint(int(low), int(high) + 1), int)
    if distribution.log:
        # Whole numbers: each takes the share of the logarithmic scale that rounds to it.
        margin = 0.5 if distribution.integer else 0.0
        drawn = stats.loguniform(max(low - margin, low / 2), high + margin)
        return _Python(drawn, (lambda x: min(max(round(x), int(low)), int(high))) if distribution.integer else float)
    return _Python(stats.uniform(low, high - low), float)


class _Python:
    """A distribution whose draws are Python's own numbers, so that they can be written as JSON."""

    def __init__(self, distribution: Any, convert: Any) -> None:
        self._distribution, self._convert = distribution, convert

    def rvs(self, random_state: Any = None) -> Any:
        return self._convert(self._distribution.rvs(random_state=random_state))


def _merge(options: Sequence[dict[str, Any]]) -> Params:
    params: Params = {}
    for option in options:
        params.update(option)
    return params
