"""Hyperparameters as a spec writes them, checked and turned into axes: each a list of options.

An option assigns one or more flat parameters: `{"optimizer": "sgd", "optimizer__momentum": 0.9}`. A table expands to
the product of its list fields, keys sorted, values as listed. A parameter may be a distribution, for random search.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from engine.errors import SpecError
from engine.spec.catalogue import (
    EPOCHS_ARGUMENT,
    LEARNING_RATE,
    LIST_ARGUMENTS,
    NONE,
    OPTIMIZERS,
    OTHER_NAMES,
    SCHEDULES,
    TRAINING_HYPERPARAMETERS,
    UNITS,
    WHOLE_TRAINING,
    Anything,
    Kind,
    Number,
    Units,
    Word,
)
from engine.spec.models import Model, Perceptron

Option = dict[str, Any]
_Parser = Callable[[object, str], "Product"]

_PERCEPTRON = Perceptron()
_DISTRIBUTION_KEYS = frozenset({"low", "high", "log", "int"})


@dataclass(frozen=True)
class Distribution:
    """Numbers from `low` to `high`, both included: uniform, or uniform in the logarithm; whole if `integer`."""

    low: float
    high: float
    log: bool = False
    integer: bool = False


class Product(NamedTuple):
    """The options of one value or table, not made yet: `first` with every combination of what stands in its lists."""

    first: Option
    prefix: str = ""
    fields: Mapping[str, list[Any]] = {}

    @property
    def size(self) -> int:
        """How many options these are."""
        return math.prod(len(values) for values in self.fields.values())

    @property
    def has_distribution(self) -> bool:
        """Whether a value is to be drawn."""
        return any(isinstance(value, Distribution) for value in self.first.values()) or any(
            isinstance(value, Distribution) for values in self.fields.values() for value in values
        )

    def options(self) -> Iterator[Option]:
        """Keys sorted, values as listed; the last key varies fastest."""
        names = sorted(self.fields)
        for values in itertools.product(*(self.fields[name] for name in names)):
            yield {**self.first, **{f"{self.prefix}{name}": value for name, value in zip(names, values, strict=True)}}


@dataclass(frozen=True)
class Axis:
    """One hyperparameter of a space. How many options it has is known before they are made."""

    name: str
    products: tuple[Product, ...]

    @functools.cached_property
    def size(self) -> int:
        """How many options it has."""
        return sum(product.size for product in self.products)

    @functools.cached_property
    def options(self) -> tuple[Option, ...]:
        """All of them, in order. Ask only for those of a spec whose size was checked."""
        return tuple(option for product in self.products for option in product.options())

    @functools.cached_property
    def has_distribution(self) -> bool:
        """Whether values are to be drawn rather than listed."""
        return any(product.has_distribution for product in self.products)


def grid_size(spaces: Sequence[tuple[Axis, ...]]) -> int:
    """How many combinations the whole grid of some spaces has, without making them."""
    return sum(math.prod(axis.size for axis in axes) for axes in spaces)


def most_different(spaces: Sequence[tuple[Axis, ...]], wanted: int | None) -> int:
    """How many different combinations there can be where so many are wanted, or all that there are."""
    if wanted is not None and any(axis.has_distribution for axes in spaces for axis in axes):
        return wanted
    size = grid_size(spaces)
    return size if wanted is None else min(wanted, size)


def parse_space(raw: object, place: str, model: Model = _PERCEPTRON) -> tuple[Axis, ...]:
    """The axes of one space, sorted by name. Raises SpecError at the first thing that is not accepted.

    `model`: what is trained, whose hyperparameters the space may name.
    """
    if not isinstance(raw, Mapping):
        raise SpecError(place, raw, "a table of hyperparameters")
    kinds = {name: kind for name, (kind, _) in {**TRAINING_HYPERPARAMETERS, **model.hyperparameters}.items()}
    kinds |= {name: Anything() for name in raw if model.takes(str(name))}
    known = [*kinds, "optimizer", "learning_rate"]
    for name in raw:
        if name not in known:
            raise SpecError(f"{place}.{name}", raw[name], unknown("a hyperparameter", str(name), known))
    if "hidden_layers" in raw and any(isinstance(units, list | tuple) for units in _listed(raw.get("hidden_units"))):
        accepted = "numbers of neurons; a list names the layers one by one and goes without hidden_layers"
        raise SpecError(f"{place}.hidden_units", raw["hidden_units"], accepted)
    parsers = {name: _plain_options(name, kind) for name, kind in kinds.items()}
    parsers |= {"optimizer": _optimizer_options, "learning_rate": _learning_rate_options}
    return tuple(Axis(name, tuple(_products(raw[name], f"{place}.{name}", parsers[name]))) for name in sorted(raw))


def unknown(what: str, name: str, known: Sequence[str]) -> str:
    """What is accepted instead of an unknown name, the likeliest first."""
    from difflib import get_close_matches

    # `acc` begins accuracy, and is more like jaccard.
    meant = OTHER_NAMES.get(name.lower(), "")
    close = [meant] if meant in known else [one for one in known if len(name) > 1 and one.startswith(name)]
    close = close or get_close_matches(name, known, 1)
    hint = f"{close[0]!r}? " if close else ""
    return f"{hint}{what} of {', '.join(known)}"


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _products(raw: object, place: str, parse: _Parser) -> list[Product]:
    """The options of an axis: of each of its values in turn."""
    return [parse(item, where) for item, where in items_of(raw, place)]


def items_of(raw: object, place: str) -> list[tuple[Any, str]]:
    """The values of an axis as a spec writes them, each with its place. Raises SpecError."""
    if isinstance(raw, Mapping) and set(raw) == {"choices"}:
        raw, place = raw["choices"], f"{place}.choices"
        if not isinstance(raw, list | tuple):
            raise SpecError(place, raw, "a list of values")
    if not isinstance(raw, list | tuple):
        return [(raw, place)]
    if not raw:
        raise SpecError(place, list(raw), "at least one value")
    return [(item, f"{place}[{i}]") for i, item in enumerate(raw)]


def _plain_options(name: str, kind: Kind) -> _Parser:
    def parse(value: object, place: str) -> Product:
        return Product({name: _value(kind, value, place)})

    return parse


def _value(kind: Kind, value: object, place: str) -> Any:
    """A checked value: words as the table spells them, tables as distributions, "none" as None."""
    if isinstance(value, Mapping):
        return _distribution(kind, value, place)
    if value == NONE and (isinstance(kind, Anything) or (isinstance(kind, Number) and kind.optional)):
        return None
    if not kind.accepts(value):
        schedules = f", or a schedule with its arguments, one of {', '.join(SCHEDULES)}"
        raise SpecError(place, value, f"{kind}{schedules if kind is LEARNING_RATE and isinstance(value, str) else ''}")
    if isinstance(kind, Word):
        return kind.canonical(str(value))
    return list(value) if isinstance(value, tuple) else value


def _distribution(kind: Kind, raw: Mapping[str, Any], place: str) -> Distribution:
    if isinstance(kind, Units):
        number = UNITS
    elif isinstance(kind, Number):
        number = kind
    elif isinstance(kind, Anything):
        number = Number()
    else:
        raise SpecError(place, dict(raw), str(kind))
    for key in raw:
        if key not in _DISTRIBUTION_KEYS:
            raise SpecError(f"{place}.{key}", raw[key], "a distribution of low, high, log, int; or a value")
    for key in ("low", "high"):
        if key not in raw:
            raise SpecError(place, dict(raw), "a distribution with both low and high")
        if raw[key] is None or not number.accepts(raw[key]):
            raise SpecError(f"{place}.{key}", raw[key], str(number))
    for key in ("log", "int"):
        if not isinstance(raw.get(key, False), bool):
            raise SpecError(f"{place}.{key}", raw[key], "true or false")
    low, high, log = raw["low"], raw["high"], raw.get("log", False)
    if not low < high:
        raise SpecError(f"{place}.high", high, f"a number above low, {low}")
    if log and low <= 0:
        raise SpecError(f"{place}.low", low, "a number above 0, as log = true asks")
    integer = number.integer or raw.get("int", False)
    if integer and not (float(low).is_integer() and float(high).is_integer()):
        raise SpecError(place, dict(raw), "whole numbers for low and high, as int = true asks")
    return Distribution(low, high, log, integer)


def _optimizer_options(value: object, place: str) -> Product:
    """`"adam"`, or a table of `name` and Keras' arguments."""
    names = Word(tuple(OPTIMIZERS))
    if isinstance(value, str):
        return Product({"optimizer": _value(names, value, place)})
    if not isinstance(value, Mapping) or "name" not in value:
        raise SpecError(place, value, f"the name of an optimizer or a table with name: {names}")
    name = _value(names, value["name"], f"{place}.name")
    arguments = OPTIMIZERS[name].arguments
    fields: dict[str, list[Any]] = {}
    for key in value:
        if key == "learning_rate":
            raise SpecError(f"{place}.{key}", value[key], "space.learning_rate, where schedules stand too")
        if key != "name":
            if key not in arguments:
                accepted = unknown(f"an argument of {OPTIMIZERS[name].class_name}", key, sorted(arguments))
                raise SpecError(f"{place}.{key}", value[key], accepted)
            fields[key] = _field(arguments[key][0], value[key], f"{place}.{key}")
    return Product({"optimizer": name}, "optimizer__", fields)


def _learning_rate_options(value: object, place: str) -> Product:
    """A constant rate, a distribution of them, or a table of `schedule` and its arguments."""
    if not isinstance(value, Mapping) or (value and set(value) <= _DISTRIBUTION_KEYS):
        return Product({"learning_rate": _value(LEARNING_RATE, value, place)})
    names = Word(tuple(SCHEDULES))
    if "schedule" not in value:
        arguments = {argument for s in SCHEDULES.values() for argument in (*s.required, *s.optional)}
        stray = next((key for key in value if key in arguments), None)
        if stray is not None:
            raise SpecError(f"{place}.{stray}", value[stray], f"this only beside schedule, one of {names}")
        raise SpecError(place, dict(value), f"a number, a distribution, or a table with schedule, one of {names}")
    name = _value(names, value["schedule"], f"{place}.schedule")
    fields = _schedule_fields(name, value, place)
    _check_schedule(fields, place)
    return Product({"learning_rate": name}, "learning_rate__", fields)


def _schedule_fields(name: str, value: Mapping[str, Any], place: str) -> dict[str, list[Any]]:
    schedule = SCHEDULES[name]
    kinds: dict[str, Kind] = {**schedule.required, **{key: kind for key, (kind, _) in schedule.optional.items()}}
    in_epochs = {epochs: steps for steps, epochs in schedule.in_epochs.items()}
    fields: dict[str, list[Any]] = {}
    for key in value:
        if key == "schedule":
            continue
        if key in in_epochs:
            if in_epochs[key] in value:
                raise SpecError(f"{place}.{key}", value[key], f"either {key} or {in_epochs[key]}, not both")
            stretches = key in ("decay_epochs", "first_decay_epochs")
            fields[key] = _field(EPOCHS_ARGUMENT, value[key], f"{place}.{key}", also_all=stretches)
        elif key in kinds:
            fields[key] = _field(kinds[key], value[key], f"{place}.{key}")
        else:
            accepted = unknown(f"an argument of {name}", key, sorted({*kinds, *in_epochs}))
            raise SpecError(f"{place}.{key}", value[key], accepted)
    for key in schedule.required:
        if key not in fields and schedule.in_epochs.get(key) not in fields:
            missing = f"{schedule.in_epochs[key]} or {key}" if key in schedule.in_epochs else key
            raise SpecError(place, dict(value), f"{name} with {missing}")
    return fields


def _field(kind: Kind, raw: object, place: str, *, also_all: bool = False) -> list[Any]:
    """The values of one field of a table, in order."""
    argument = place.rpartition(".")[2]
    if argument in LIST_ARGUMENTS:
        return _list_field(kind, raw, place)
    if isinstance(raw, list | tuple):
        if not raw:
            raise SpecError(place, list(raw), "at least one value")
        return [_one(kind, item, f"{place}[{i}]", also_all) for i, item in enumerate(raw)]
    return [_one(kind, raw, place, also_all)]


def _one(kind: Kind, raw: object, place: str, also_all: bool) -> Any:
    if also_all and isinstance(raw, str):
        if raw != WHOLE_TRAINING:
            raise SpecError(place, raw, f'{kind}, or "{WHOLE_TRAINING}"')
        return raw
    return _value(kind, raw, place)


def _list_field(kind: Kind, raw: object, place: str) -> list[Any]:
    """Arguments that are lists by nature: one list, or a list of lists to choose from."""
    accepted = f"a list whose entries are each {kind}"
    if not isinstance(raw, list | tuple) or not raw:
        raise SpecError(place, raw, accepted)
    choices = raw if all(isinstance(item, list | tuple) for item in raw) else [raw]
    for choice in choices:
        for i, item in enumerate(choice):
            if not kind.accepts(item):
                raise SpecError(f"{place}[{i}]", item, str(kind))
        if not choice:
            raise SpecError(place, raw, accepted)
    return [list(choice) for choice in choices]


def _check_schedule(fields: Mapping[str, list[Any]], place: str) -> None:
    """What only arguments together can get wrong."""
    all_values = fields.get("values", [])
    for boundaries in fields.get("boundaries") or fields.get("boundary_epochs") or []:
        if any(b < a for a, b in itertools.pairwise(boundaries)):
            raise SpecError(f"{place}.boundaries", boundaries, "boundaries in ascending order, or equal")
        for values in all_values:
            if len(values) != len(boundaries) + 1:
                raise SpecError(f"{place}.values", values, f"{len(boundaries) + 1} values, one more than boundaries")
        all_values = all_values[:1]  # all have the length of the first now
