"""What a search is asked for: `SearchSpec`, read from TOML or from Python values, validated once, then frozen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.axes import Axis, Distribution, parse_space, unknown
from engine.catalogue import SCORERS, Number
from engine.data.facts import DATASETS, LEAST_NUM_WORDS, MOST_NUM_WORDS
from engine.errors import SpecError, UsageError

_LARGEST_FILE = 1 << 20
# What the parser raises: numbers of thousands of digits are a bare ValueError, thousands of brackets a recursion.
_NOT_TOML = (ValueError, RecursionError)
TRAINERS = ("auto", "kernel", "keras")


class SearchSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A valid spec. Make one with `from_values`, `from_toml` or `read`; the fields are as written, defaults filled in.

    `strategy`: "grid" or {"random": n}; `subsample`: a fraction in (0, 1] or a whole number of rows above 1;
    `time_limit`: seconds that a training may take before the fits that it still owes fail, None for no limit;
    `space`: a table of hyperparameters, or a list of such tables, as in scikit-learn.
    """

    dataset: str = "reuters"
    num_words: int = 10_000
    subsample: float | int = 1.0
    folds: int = 3
    repeats: int = 1
    scoring: list[str] = msgspec.field(default_factory=lambda: ["accuracy"])
    strategy: str | dict[str, int] = "grid"
    seed: int = 0
    trainer: str = "auto"
    time_limit: float | None = None
    space: dict[str, Any] | list[dict[str, Any]] = msgspec.field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> SearchSpec:
        """A spec from Python values. Raises SpecError with the place, the value and what is accepted."""
        known = cls.__struct_fields__
        for key in values:
            if key not in known:
                raise SpecError(str(key), values[key], unknown("a key", str(key), known))
        if "dataset" not in values:
            raise SpecError("dataset", None, _one_of(DATASETS))
        if "space" not in values:
            raise SpecError("space", None, "a table of hyperparameters; an empty one runs the defaults once")
        given = {key: _plain(value) for key, value in values.items()}
        if isinstance(given.get("scoring"), str):
            given["scoring"] = [given["scoring"]]
        spec = cls(**given)
        _validate(spec)
        return spec

    @classmethod
    def from_toml(cls, text: str, source: str = "spec") -> SearchSpec:
        """A spec from TOML. Raises SpecError."""
        import tomllib

        try:
            values = tomllib.loads(text)
        except _NOT_TOML as error:
            raise SpecError(source, str(error), "a TOML document") from error
        return cls.from_values(values)

    @classmethod
    def read(cls, path: Path, overrides: Sequence[str] = ()) -> SearchSpec:
        """A spec from a TOML file, with `key=value` overrides (`space.epochs=[5,10]`). Raises SpecError."""
        import tomllib

        try:
            content = path.read_bytes() if path.stat().st_size <= _LARGEST_FILE else None
        except OSError as error:
            message = f"{path}: cannot be read: {error.strerror}"
            raise UsageError(message) from error
        if content is None:
            raise SpecError(str(path), "a larger file", "a TOML document of up to 1 MiB")
        try:
            values = tomllib.loads(content.decode())
        except _NOT_TOML as error:
            raise SpecError(str(path), str(error), "a TOML document") from error
        for override in overrides:
            _override(values, override)
        return cls.from_values(values)

    def to_values(self) -> dict[str, Any]:
        """Plain values that `from_values` takes back."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        return values

    def to_toml(self) -> str:
        """The same as TOML."""
        import tomli_w

        # TOML has no word for nothing; what is left out is None.
        return tomli_w.dumps({key: value for key, value in self.to_values().items() if value is not None})

    @property
    def spaces(self) -> list[tuple[Axis, ...]]:
        """The axes of each space."""
        if isinstance(self.space, dict):
            return [parse_space(self.space, "space")]
        return [parse_space(space, f"space[{i}]") for i, space in enumerate(self.space)]

    @property
    def random(self) -> int | None:
        """How many combinations random search draws; None for the grid."""
        return self.strategy["random"] if isinstance(self.strategy, dict) else None

    @property
    def splits(self) -> int:
        """Train/validation splits: folds x repeats."""
        return self.folds * self.repeats

    @property
    def rows(self) -> int:
        """Training rows in use, as far as the data set is known before it is read."""
        total = DATASETS[self.dataset].training_rows
        return self.subsample if isinstance(self.subsample, int) else round(total * self.subsample)


def _plain(value: Any) -> Any:
    """Tuples and NumPy's scalars and arrays as JSON would have them."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist") and type(value).__module__ == "numpy":
        return value.tolist()
    return value


def _one_of(words: Any) -> str:
    return ", ".join(words)


def _override(values: dict[str, Any], override: str) -> None:
    """`space.epochs=[5,10]`: the right side as TOML would read it, a bare word as text."""
    import tomllib

    path, equals, text = override.partition("=")
    if not equals or not path:
        raise SpecError("--set", override, "key=value, such as space.epochs=[5,10]")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except _NOT_TOML:
        value = text
    *parents, last = path.strip().split(".")
    table = values
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise SpecError("--set", override, f"a path of tables; {parent} is not one")
    table[last] = value


def _validate(spec: SearchSpec) -> None:
    if not isinstance(spec.dataset, str) or spec.dataset not in DATASETS:
        raise SpecError("dataset", spec.dataset, _one_of(DATASETS))
    for key, kind in (
        ("num_words", Number(LEAST_NUM_WORDS, MOST_NUM_WORDS, integer=True)),
        ("folds", Number(2, 1_000, integer=True)),
        ("repeats", Number(1, 1_000, integer=True)),
        ("seed", Number(0, 2**32 - 1, integer=True)),
    ):
        if not kind.accepts(getattr(spec, key)):
            raise SpecError(key, getattr(spec, key), str(kind))
    time_limit = Number(0, low_open=True, optional=True)
    if not time_limit.accepts(spec.time_limit):
        raise SpecError("time_limit", spec.time_limit, f"{time_limit}, in seconds")
    _validate_subsample(spec)
    _validate_scoring(spec)
    strategy = spec.strategy
    if not (strategy == "grid" or (isinstance(strategy, dict) and set(strategy) == {"random"})):
        raise SpecError("strategy", strategy, '"grid" or { random = n }')
    if isinstance(strategy, dict) and not Number(1, 1_000_000, integer=True).accepts(strategy["random"]):
        raise SpecError("strategy.random", strategy["random"], "a whole number of at least 1")
    if spec.trainer not in TRAINERS:
        raise SpecError("trainer", spec.trainer, _one_of(TRAINERS))
    _validate_space(spec)


def _validate_subsample(spec: SearchSpec) -> None:
    value = spec.subsample
    rows = DATASETS[spec.dataset].training_rows
    fraction, count = Number(0, 1, low_open=True), Number(2, rows, integer=True)
    if value == 1 or not (fraction.accepts(value) if isinstance(value, float) else count.accepts(value)):
        if value == 1 and isinstance(value, float):
            return
        accepted = f"a fraction above 0 and at most 1.0, or a whole number of rows from 2 to {rows}"
        raise SpecError("subsample", value, accepted)
    if spec.rows < 2 * spec.folds:
        raise SpecError("subsample", value, f"at least {2 * spec.folds} rows, two for each of {spec.folds} folds")


def _validate_scoring(spec: SearchSpec) -> None:
    if not isinstance(spec.scoring, list) or not spec.scoring:
        raise SpecError("scoring", spec.scoring, "a list of at least one scorer")
    classes = DATASETS[spec.dataset].classes
    for i, name in enumerate(spec.scoring):
        place = f"scoring[{i}]"
        if not isinstance(name, str) or name not in SCORERS:
            raise SpecError(place, name, unknown("a scorer", str(name), list(SCORERS)))
        if SCORERS[name].two_classes_only and classes != 2:
            raise SpecError(place, name, f"a scorer for {classes} classes, such as accuracy, f1_macro or roc_auc_ovr")
        if SCORERS[name].many_classes_only and classes == 2:
            raise SpecError(place, name, "a scorer for two classes, such as accuracy, f1 or roc_auc")
        if name in spec.scoring[:i]:
            raise SpecError(place, name, "each scorer once")


def _validate_space(spec: SearchSpec) -> None:
    if not isinstance(spec.space, dict | list) or spec.space == []:
        raise SpecError("space", spec.space, "a table of hyperparameters, or a list of such tables")
    for number, axes in enumerate(spec.spaces):
        place = "space" if isinstance(spec.space, dict) else f"space[{number}]"
        for axis in axes:
            if axis.has_distribution and spec.random is None:
                accepted = "lists of values; a distribution needs strategy = { random = n }"
                raw = spec.space if isinstance(spec.space, dict) else spec.space[number]
                raise SpecError(f"{place}.{axis.name}", raw[axis.name], accepted)
            if axis.name == "batch_size":
                _validate_batch_sizes(spec, axis, place)


def _validate_batch_sizes(spec: SearchSpec, axis: Axis, place: str) -> None:
    largest = spec.rows - -(-spec.rows // spec.folds)
    for i, option in enumerate(axis.options):
        value = option["batch_size"]
        size = value.high if isinstance(value, Distribution) else value
        if size > largest:
            accepted = f"at most {largest}, the training rows of a fold"
            raise SpecError(f"{place}.batch_size[{i}]", size, accepted)


def to_json(spec: SearchSpec) -> str:
    """One line of JSON, keys sorted: equal specs give equal lines."""
    return json.dumps(spec.to_values(), sort_keys=True)
