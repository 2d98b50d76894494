"""What a search is asked for: `SearchSpec`, read from TOML or from Python values, validated once, then frozen."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.data import DATASETS, DataSource, Features, MultiHot
from engine.data.features.kinds import DEFAULT_NUM_WORDS
from engine.errors import SpecError, UsageError
from engine.spec.bounds import (
    check_toml,
    check_value,
)
from engine.spec.catalogue import HYPERPARAMETERS, OTHER_NAMES, SCORERS, SHARES_OF_RIGHT, Number, Truth
from engine.spec.early_stopping import EarlyStopping
from engine.spec.features import NUM_WORDS, parse_features
from engine.spec.function_signature import with_function_settled
from engine.spec.models import KerasFunction, Model, Perceptron, parse_model
from engine.spec.overrides import apply_override
from engine.spec.python_values import plain
from engine.spec.search_size import check_size
from engine.spec.space import Axis, Distribution, most_different, parse_space, unknown
from engine.spec.stages import Stage, parse_stages, stages_of_halving
from engine.spec.strategy_options import Choice, parse_strategy
from engine.spec.toml import as_item
from engine.spec.workable import check_strategy, check_trainable
from engine.system.regular_files import TooLargeError, read_regular

_LARGEST_FILE = 1 << 20
_KINDS = ("features",)  # keys that are no fields: with one kind, there is nothing else to keep
TRAINERS = ("auto", "kernel", "keras")


class SearchSpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A valid spec. Make one with `from_values`, `from_toml` or `read`; the fields are as written, defaults filled in.

    `strategy`: "grid", {"random": n} or another of `engine.spec.strategy_options.STRATEGIES`;
    `subsample`: a fraction in (0, 1] or
    a whole number of rows above 1; `stage`: a list of `{subsample = ..., keep = ...}`, from a first look to all rows;
    `time_limit`: seconds that a training may take before the fits that it still owes fail, None for no limit;
    `early_stopping`: None, or {"patience": epochs} with "min_delta" and "stop" as in `engine.spec.early_stopping`;
    `model`: None for the built-in network, else a function of the user's own, as `engine.spec.models` has it;
    `allow_large`: it may have more combinations and fits than are good for most searches (`engine.spec.bounds`);
    `space`: a table of hyperparameters, or a list of such tables, as in scikit-learn.
    """

    dataset: str = "reuters"
    model: dict[str, Any] | None = None
    num_words: int = DEFAULT_NUM_WORDS
    subsample: float | int = 1.0
    folds: int = 3
    repeats: int = 1
    scoring: list[str] = msgspec.field(default_factory=lambda: ["accuracy"])
    strategy: str | dict[str, Any] = "grid"
    stage: list[dict[str, Any]] = msgspec.field(default_factory=list)
    seed: int = 0
    trainer: str = "auto"
    time_limit: float | None = None
    early_stopping: dict[str, Any] | None = None
    allow_large: bool = False
    space: dict[str, Any] | list[dict[str, Any]] = msgspec.field(default_factory=dict)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], folder: Path | None = None) -> SearchSpec:
        """A spec from Python values. Raises SpecError with the place, the value and what is accepted.

        `folder`: where the file of a model's function lies, if the values name none; None: the current folder. That
        file is read, and not run.
        """
        spec = cls.recorded(with_function_settled(values, folder))
        # Its size first: what is too large is not looked at one by one.
        check_size(spec.spaces, spec.choice, spec.stages, spec.splits, allow_large=spec.allow_large)
        _check_workable(spec)
        return spec

    @classmethod
    def recorded(cls, values: Mapping[str, Any]) -> SearchSpec:
        """The spec of a session that has begun, however large, whatever of it cannot be trained. Raises SpecError."""
        check_value(values, "")
        known = (*cls.__struct_fields__, *_KINDS)
        for key in values:
            if key not in known:
                raise SpecError(str(key), values[key], _elsewhere(str(key)) or unknown("a key", str(key), known))
        if "dataset" not in values:
            raise SpecError("dataset", None, _one_of(DATASETS))
        if "space" not in values:
            raise SpecError("space", None, "a table of hyperparameters; an empty one runs the defaults once")
        given = {key: plain(value, key) for key, value in values.items()}
        if isinstance(given.get("scoring"), str):
            given["scoring"] = [given["scoring"]]
        _settle_kinds(given)
        spec = cls(**given)
        _validate(spec)
        return spec

    @classmethod
    def from_toml(cls, text: str, source: str = "spec") -> SearchSpec:
        """A spec from TOML. Raises SpecError."""
        import tomllib

        check_toml(text, source)
        try:
            values = tomllib.loads(text)
        except ValueError as error:
            raise SpecError(source, str(error), "a TOML document") from error
        return cls.from_values(values)

    @classmethod
    def read(cls, path: Path, overrides: Sequence[str] = (), *, allow_large: bool = False) -> SearchSpec:
        """A spec from a TOML file, with `key=value` overrides (`space.epochs=[5,10]`). Raises SpecError.

        `allow_large`: as if the file set it.
        """
        import tomllib

        try:
            content = read_regular(path, _LARGEST_FILE, follow_links=True)
        except TooLargeError as error:
            raise SpecError(str(path), "a larger file", "a TOML document of up to 1 MiB") from error
        except (OSError, ValueError) as error:
            message = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
            raise UsageError(message) from error
        try:
            text = content.decode()
            check_toml(text, str(path))
            values = tomllib.loads(text)
        except ValueError as error:
            message = f"{path}: is no TOML document: {error}"
            raise UsageError(message) from error
        for override in overrides:
            apply_override(values, override)
        if allow_large:
            values["allow_large"] = True
        return cls.from_values(values, path.parent)

    def to_values(self) -> dict[str, Any]:
        """Plain values that `from_values` takes back."""
        values: dict[str, Any] = msgspec.to_builtins(self)
        if self.model is None:
            del values["model"]  # such a spec is written as it was before there were others
        return values

    def to_toml(self) -> str:
        """The spec as TOML, without what holds anyway, such as no stages."""
        import tomlkit

        given = {key: value for key, value in self.to_values().items() if value not in (None, [], False)}
        document = tomlkit.document()
        for key, value in given.items():
            document.add(key, as_item(value))
        return tomlkit.dumps(document)

    # What is parsed is kept beside the fields: it counts for no comparison, and no copy with other fields has it.

    @functools.cached_property
    def source(self) -> DataSource:
        """The dataset: its classes, its sizes and, when they are needed, its rows."""
        if not isinstance(self.dataset, str) or self.dataset not in DATASETS:
            raise SpecError("dataset", self.dataset, _one_of(DATASETS))
        return DATASETS[self.dataset]

    @property
    def encoding(self) -> Features:
        """The features: how a row becomes numbers."""
        return MultiHot(self.num_words)

    @functools.cached_property
    def network(self) -> Model:
        """What is trained."""
        return parse_model(self.model, "model")

    @functools.cached_property
    def spaces(self) -> tuple[tuple[Axis, ...], ...]:
        """The axes of each space."""
        if isinstance(self.space, dict):
            return (parse_space(self.space, "space", self.network),)
        return tuple(parse_space(space, f"space[{i}]", self.network) for i, space in enumerate(self.space))

    @functools.cached_property
    def choice(self) -> Choice:
        """The strategy with all its options."""
        return parse_strategy(self.strategy)

    @property
    def draws(self) -> int | None:
        """How many combinations are drawn at random at first; None where the whole grid is taken."""
        return self.choice.first

    @functools.cached_property
    def stages(self) -> tuple[Stage, ...]:
        """The stages of the search, first looks first: one, unless the spec has more."""
        choice = self.choice
        if choice.name == "halving" and choice.options["over"] == "rows":
            candidates = most_different(self.spaces, choice.count)
            return tuple(stages_of_halving(choice, candidates, self.source, self.subsample, self.folds))
        return tuple(parse_stages(self.stage, self.source)) if self.stage else (Stage(self.subsample, None),)

    @functools.cached_property
    def stopping(self) -> EarlyStopping | None:
        """When trainings end early; None if never."""
        return msgspec.convert(self.early_stopping, EarlyStopping | None)

    @property
    def splits(self) -> int:
        """Train/validation splits: folds x repeats."""
        return self.folds * self.repeats

    @property
    def rows(self) -> int:
        """Training rows in use, in the last stage, as far as the dataset is known before it is read."""
        return self.stage_rows[-1]

    @functools.cached_property
    def stage_rows(self) -> tuple[int, ...]:
        """Training rows in use in each stage, as far as the dataset is known before it is read."""
        return tuple(self.source.rows_in(stage.subsample) for stage in self.stages)


def _elsewhere(key: str) -> str:
    """The place where a spec, or a command, says what a key means elsewhere; empty where it is unknown."""
    if key in ("n_jobs", "workers", "devices"):
        return f"this when it is run: foldwatch run --{'devices' if key == 'devices' else 'workers'}"
    meant = OTHER_NAMES.get(key, key)
    is_of_space = meant in (*HYPERPARAMETERS, "optimizer", "learning_rate")
    return f"space.{meant}: a hyperparameter belongs to the space" if is_of_space else ""


def _settle_kinds(given: dict[str, Any]) -> None:
    """Spell the model in the one way that is kept, and take `features` out: they can say the number of words alone."""
    if "model" in given:
        model = parse_model(given["model"], "model")
        given["model"] = None if isinstance(model, Perceptron) else model.to_values()
    if "features" in given:
        raw = given.pop("features")
        features = parse_features(raw, "features")
        if "num_words" in raw:
            if "num_words" in given:
                accepted = "num_words once: within features, or at the top level"
                raise SpecError("num_words", given["num_words"], accepted)
            given["num_words"] = features.num_words


def _one_of(words: Any) -> str:
    return ", ".join(words)


def _validate(spec: SearchSpec) -> None:
    _ = spec.source  # raises where there is no such dataset
    for key, kind in (
        ("num_words", NUM_WORDS),
        ("folds", Number(2, 1_000, integer=True)),
        ("repeats", Number(1, 1_000, integer=True)),
        ("seed", Number(0, 2**32 - 1, integer=True)),
    ):
        if not kind.accepts(getattr(spec, key)):
            raise SpecError(key, getattr(spec, key), str(kind))
    if spec.time_limit is not None:
        check_time_limit(spec.time_limit)
    if not isinstance(spec.allow_large, bool):
        raise SpecError("allow_large", spec.allow_large, "true or false")
    _validate_early_stopping(spec.early_stopping)
    _validate_subsample(spec, spec.subsample)
    _validate_scoring(spec)
    choice = spec.choice
    if spec.trainer not in TRAINERS:
        raise SpecError("trainer", spec.trainer, _one_of(TRAINERS))
    if spec.trainer == "kernel" and isinstance(spec.network, KerasFunction):
        raise SpecError("trainer", spec.trainer, "auto or keras: a model of your own is trained by Keras")
    _validate_space(spec)
    _validate_stages(spec, choice)
    _validate_epochs_of_strategy(spec, choice)
    if choice.name == "racing" and spec.scoring[0] not in (*SHARES_OF_RIGHT, "neg_log_loss"):
        accepted = f"{_one_of(SHARES_OF_RIGHT)} or neg_log_loss first: racing compares combinations row by row"
        raise SpecError("scoring[0]", spec.scoring[0], accepted)


def _check_workable(spec: SearchSpec) -> None:
    """Refuse what can be read but not be trained, or makes a strategy pointless."""
    if isinstance(spec.space, dict):
        check_trainable(spec.space, "space", spec.network)
    else:
        for number, space in enumerate(spec.space):
            check_trainable(space, f"space[{number}]", spec.network)
    choice = spec.choice
    named = spec.strategy if isinstance(spec.strategy, dict) else {}
    epochs = max(int(one.high) if isinstance(one, Distribution) else one for one in _epochs_in(spec))
    combinations = most_different(spec.spaces, choice.count)
    check_strategy(choice, named, combinations=combinations, epochs=epochs, rows=spec.rows)


def check_time_limit(seconds: Any) -> float:
    """The limit itself. Raises SpecError if no training could have it."""
    accepted = Number(0, low_open=True)
    if not accepted.accepts(seconds):
        raise SpecError("time_limit", seconds, f"{accepted}, in seconds")
    return float(seconds)


def _validate_early_stopping(rule: Any) -> None:
    if rule is None:
        return
    whole, number = Number(0, 100_000, integer=True), Number(0)
    known: dict[str, Number | Truth] = {"patience": whole, "min_delta": number, "stop": Truth()}
    if not isinstance(rule, dict) or "patience" not in rule:
        raise SpecError("early_stopping", rule, "a table with patience, such as { patience = 3 }")
    for key, value in rule.items():
        if key not in known:
            raise SpecError(f"early_stopping.{key}", value, unknown("a key", str(key), list(known)))
        if not known[key].accepts(value):
            raise SpecError(f"early_stopping.{key}", value, str(known[key]))


def _validate_stages(spec: SearchSpec, choice: Choice) -> None:
    if not isinstance(spec.stage, list):
        raise SpecError("stage", spec.stage, "a list of tables: [[stage]]")
    if spec.stage and choice.name not in ("grid", "random"):
        raise SpecError("stage", len(spec.stage), f'no stages with strategy {choice.name}; "grid" or {{ random = n }}')
    if spec.stage and spec.subsample != 1:
        raise SpecError("subsample", spec.subsample, "a subsample in each stage, where there are stages")
    for number, stage in enumerate(spec.stages):
        _validate_subsample(spec, stage.subsample, f"stage[{number}].subsample" if spec.stage else "subsample")


def _validate_epochs_of_strategy(spec: SearchSpec, choice: Choice) -> None:
    """A strategy that decides between epochs needs combinations that have the same number of them."""
    if "epochs" in (choice.options.get("over"), choice.options.get("between")) or choice.name == "hyperband":
        epochs = _epochs_in(spec)
        if len(epochs) > 1 or any(isinstance(value, Distribution) for value in epochs):
            accepted = f"one number, the most epochs: strategy {choice.name} decides how many a combination gets"
            raise SpecError("space.epochs", sorted(map(str, epochs)), accepted)
        if spec.stopping is not None:
            accepted = f"none: strategy {choice.name} decides how many epochs a combination gets"
            raise SpecError("early_stopping", spec.early_stopping, accepted)


def _epochs_in(spec: SearchSpec) -> set[Any]:
    """The numbers of epochs, and distributions of them, that combinations can have."""
    default = ({"epochs": HYPERPARAMETERS["epochs"][1]},)
    options = [next((axis.options for axis in axes if axis.name == "epochs"), default) for axes in spec.spaces]
    return {option["epochs"] for ones in options for option in ones}


def _validate_subsample(spec: SearchSpec, value: Any, place: str = "subsample") -> None:
    rows = spec.source.training_rows
    fraction, count = Number(0, 1, low_open=True), Number(2, rows, integer=True)
    if value == 1 or not (fraction.accepts(value) if isinstance(value, float) else count.accepts(value)):
        if value == 1 and isinstance(value, float):
            return
        accepted = f"a fraction above 0 and at most 1.0, or a whole number of rows from 2 to {rows}"
        raise SpecError(place, value, accepted)
    if spec.source.rows_in(value) < 2 * spec.folds:
        raise SpecError(place, value, f"at least {2 * spec.folds} rows, two for each of {spec.folds} folds")


def _validate_scoring(spec: SearchSpec) -> None:
    if not isinstance(spec.scoring, list) or not spec.scoring:
        raise SpecError("scoring", spec.scoring, "a list of at least one scorer")
    classes = spec.source.classes
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
            if axis.has_distribution and spec.draws is None:
                accepted = "lists of values; a distribution needs strategy = { random = n }, or another that draws"
                raw = spec.space if isinstance(spec.space, dict) else spec.space[number]
                raise SpecError(f"{place}.{axis.name}", raw[axis.name], accepted)
            if axis.name == "batch_size":
                _validate_batch_sizes(spec, axis, place)


def _validate_batch_sizes(spec: SearchSpec, axis: Axis, place: str) -> None:
    rows = min(spec.stage_rows)
    largest = rows - -(-rows // spec.folds)
    for i, option in enumerate(axis.options):
        value = option["batch_size"]
        size = value.high if isinstance(value, Distribution) else value
        if size > largest:
            accepted = f"at most {largest}, the training rows of a fold"
            raise SpecError(f"{place}.batch_size[{i}]", size, accepted)


def to_json(spec: SearchSpec) -> str:
    """One line of JSON, keys sorted: equal specs give equal lines."""
    return json.dumps(spec.to_values(), sort_keys=True)
