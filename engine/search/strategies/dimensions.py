"""A space as Optuna sees it: a dimension for everything there is to choose, in those combinations only that have it.

Which space, which optimizer or schedule, which word: by category. Which of some listed numbers: by its place among them
in ascending order, so that a score of one says something about its neighbours. A distribution is one of Optuna's,
logarithmic or of whole numbers where the spec's is. A `momentum` of two optimizers is a dimension for each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from engine.spec.catalogue import head_of
from engine.spec.space import Axis, Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from optuna.trial import Trial

    from engine.spec.combinations import Params
    from engine.spec.space import Option

Field = Distribution | tuple[Any, ...]  # what one parameter may be


class Dimensions:
    """The dimensions of some spaces; what is chosen in them, and where a combination lies in them."""

    def __init__(self, spaces: Sequence[tuple[Axis, ...]]) -> None:
        self._spaces = [[_Kinds(axis.name, _kinds(axis)) for axis in axes] for axes in spaces]
        self.distributions: dict[str, BaseDistribution] = {}
        if len(spaces) > 1:
            self.distributions["space"] = CategoricalDistribution(range(len(spaces)))
        for kinds in (kinds for axes in self._spaces for kinds in axes):
            if len(kinds.kinds) > 1:
                self.distributions[kinds.dimension] = CategoricalDistribution(range(len(kinds.kinds)))
            for kind in kinds.kinds:
                for name, dimension in kind.dimensions.items():
                    self.distributions[dimension] = _distribution(kind.fields[name])

    @property
    def is_conditional(self) -> bool:
        """Whether some combinations lack a dimension that others have."""
        several = (kinds.kinds for axes in self._spaces for kinds in axes if len(kinds.kinds) > 1)
        return len(self._spaces) > 1 or any(kind.dimensions for kinds in several for kind in kinds)

    def suggest(self, trial: Trial) -> Params:
        """The flat parameters of the combination that a trial suggests."""
        params: Params = {}
        for kinds in self._spaces[self._suggest(trial, "space") if len(self._spaces) > 1 else 0]:
            kind = kinds.kinds[self._suggest(trial, kinds.dimension) if len(kinds.kinds) > 1 else 0]
            for name, field in kind.fields.items():
                chosen = self._suggest(trial, kind.dimensions[name]) if name in kind.dimensions else 0
                params[name] = chosen if isinstance(field, Distribution) else field[chosen]
        return params

    def locate(self, params: Params) -> dict[str, Any] | None:
        """What a trial chose whose combination has these parameters; None if it lies in none of the spaces."""
        for number, axes in enumerate(self._spaces):
            chosen: dict[str, Any] = {"space": number} if len(self._spaces) > 1 else {}
            located = [kinds.locate(params) for kinds in axes]
            names = {kinds.axis for kinds in axes}
            if None not in located and all(head_of(parameter) in names for parameter in params):
                for one in located:
                    chosen.update(one or {})
                return chosen
        return None

    def _suggest(self, trial: Trial, dimension: str) -> Any:
        match self.distributions[dimension]:
            case CategoricalDistribution(choices=choices):
                return trial.suggest_categorical(dimension, choices)
            case IntDistribution(low=low, high=high, log=log):
                return trial.suggest_int(dimension, low, high, log=log)
            case FloatDistribution(low=low, high=high, log=log):
                return trial.suggest_float(dimension, low, high, log=log)


@dataclass(frozen=True)
class _Kind:
    """One way to set an axis, such as one optimizer: flat parameters that vary independently of each other."""

    word: str
    fields: dict[str, Field]

    @cached_property
    def dimensions(self) -> dict[str, str]:
        """The dimension of each parameter that can vary; equal names, also in another space, mean equal fields."""
        varying = (item for item in self.fields.items() if isinstance(item[1], Distribution) or len(item[1]) > 1)
        return {name: f"{self.word} {name} {field!r}" for name, field in varying}

    def locate(self, own: Mapping[str, Any]) -> dict[str, Any] | None:
        """Where the parameters of an axis lie; None if they are not of this kind."""
        if own.keys() != self.fields.keys():
            return None
        located: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = own[name]
            if isinstance(field, Distribution):
                if not (_is_number(value) and field.low <= value <= field.high):
                    return None
                located[self.dimensions[name]] = value
            elif value not in field:
                return None
            elif name in self.dimensions:
                located[self.dimensions[name]] = field.index(value)
        return located


@dataclass(frozen=True)
class _Kinds:
    """An axis: its kinds, one of which a combination has."""

    axis: str
    kinds: list[_Kind]

    @cached_property
    def dimension(self) -> str:
        """The dimension that chooses the kind."""
        return f"{self.axis} {[(kind.word, kind.fields) for kind in self.kinds]!r}"

    def locate(self, params: Params) -> dict[str, Any] | None:
        """Where the parameters of this axis, among others, lie; None if of none of its kinds."""
        own = {name: value for name, value in params.items() if head_of(name) == self.axis}
        for number, kind in enumerate(self.kinds):
            located = kind.locate(own)
            if located is not None:
                return {**({self.dimension: number} if len(self.kinds) > 1 else {}), **located}
        return None


def _kinds(axis: Axis) -> list[_Kind]:
    """An axis' options by their word (an optimizer, a schedule) and by the parameters that they set.

    Where they are not all products of their values, each is a kind of its own.
    """
    groups: dict[tuple[Any, ...], list[Option]] = {}
    for option in axis.options:
        main = option[axis.name]
        word = main if isinstance(main, str) else ""
        shape = [(name, value if isinstance(value, Distribution) else None) for name, value in option.items()]
        groups.setdefault((word, *shape), []).append(option)
    kinds: list[_Kind] = []
    for (word, *_), options in groups.items():
        different = _different(options)
        fields = {name: _field([option[name] for option in different]) for name in options[0]}
        sizes = (1 if isinstance(field, Distribution) else len(field) for field in fields.values())
        if math.prod(sizes) == len(different):
            kinds.append(_Kind(word, fields))
        else:
            kinds += [_Kind(word, {name: _field([value]) for name, value in one.items()}) for one in different]
    return kinds


def _field(values: list[Any]) -> Field:
    if isinstance(values[0], Distribution):
        return values[0]
    different = _different(values)
    return tuple(sorted(different) if all(_is_number(value) for value in different) else different)


def _distribution(field: Field) -> BaseDistribution:
    if not isinstance(field, Distribution):
        ordered = all(_is_number(value) for value in field)
        return IntDistribution(0, len(field) - 1) if ordered else CategoricalDistribution(range(len(field)))
    if field.integer:
        return IntDistribution(int(field.low), int(field.high), log=field.log)
    return FloatDistribution(field.low, field.high, log=field.log)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _different(values: Iterable[Any]) -> list[Any]:
    """Without repetitions, in order; lists and tables cannot be hashed."""
    return list({repr(value): value for value in values}.values())
