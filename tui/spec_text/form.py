"""The texts in the fields of the new-search form, and the spec that they mean: texts to values and back, purely."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import SpecError, UsageError, Words
from engine.session.places import check_identifier
from engine.spec.catalogue import DEFAULT_OPTIMIZER, HYPERPARAMETERS, OPTIMIZERS
from engine.spec.spec import SearchSpec
from engine.spec.strategy_options import strategy_in_words
from engine.system.machine import MOST_WORKERS, parse_devices
from tui.parts.safe_text import clean
from tui.spec_text.value_syntax import MOST_CHARACTERS, ValueSyntaxError, text_of, values_of

# Fields of the whole search, in the order of the form, and what they are when nothing is typed.
GENERAL: dict[str, str] = {
    "dataset": "reuters",
    "num_words": "10000",
    "subsample": "1.0",
    "folds": "3",
    "repeats": "1",
    "scoring": "accuracy",
    "strategy": "grid",
    "early_stopping": "",
    "seed": "0",
    "trainer": "auto",
    "time_limit": "",
    "workers": "",
    "devices": "",
    "name": "",
}
HYPERPARAMETER_NAMES = (
    "epochs",
    "batch_size",
    "hidden_layers",
    "hidden_units",
    "activation",
    "dropout",
    "l2",
    "optimizer",
    "learning_rate",
)
DEFAULTS: dict[str, str] = {
    **{name: text_of(default) for name, (_, default) in HYPERPARAMETERS.items()},
    "optimizer": DEFAULT_OPTIMIZER,
    "learning_rate": f"{text_of(OPTIMIZERS[DEFAULT_OPTIMIZER].learning_rate)} or what the optimizer has",
}
_START = {"epochs": "5, 10, 20", "batch_size": "128, 512", "hidden_units": "64, 128"}
# Where the engine would speak of TOML's tables: what can be typed in the field.
TYPED = {
    "strategy": "grid, random 30, halving 12, hyperband 12, racing, bayes 60",
    "early_stopping": "patience 3, or patience 3, min_delta 0.001, stop false",
}
_NOT_IN_SPEC = ("workers", "devices", "name")
_NUMBERS = ("num_words", "subsample", "folds", "repeats", "seed", "time_limit")


@dataclass(frozen=True)
class Form:
    """The text of every field; `spaces` holds one text for each hyperparameter of each space, none where it is unset.

    A field is named `folds`, or `space.1.epochs` for the epochs of the second space.
    """

    general: Mapping[str, str] = field(default_factory=lambda: dict(GENERAL))
    spaces: tuple[Mapping[str, str], ...] = (_START,)
    kept: Mapping[str, Any] = field(default_factory=dict)  # of the spec: what has no field, as it was loaded

    def text(self, name: str) -> str:
        """The text of a field."""
        if name in GENERAL:
            return self.general.get(name, "")
        space, hyperparameter = _in_space(name)
        return self.spaces[space].get(hyperparameter, "")

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every field with its text."""
        yield from self.general.items()
        for number, space in enumerate(self.spaces):
            for hyperparameter, text in space.items():
                yield field_of_space(number, hyperparameter), text

    def with_text(self, name: str, text: str) -> Form:
        """The form with another text in a field."""
        if name in GENERAL:
            return replace(self, general={**self.general, name: text})
        space, hyperparameter = _in_space(name)
        changed = {**self.spaces[space], hyperparameter: text}
        return replace(self, spaces=(*self.spaces[:space], changed, *self.spaces[space + 1 :]))

    def with_space_added(self, after: int) -> Form:
        """The form with a copy of a space behind it."""
        return replace(self, spaces=(*self.spaces[: after + 1], dict(self.spaces[after]), *self.spaces[after + 1 :]))

    def without_space(self, number: int) -> Form:
        """The form without one of its spaces; the last one stays."""
        if len(self.spaces) == 1:
            return self
        return replace(self, spaces=(*self.spaces[:number], *self.spaces[number + 1 :]))


@dataclass(frozen=True)
class Reading:
    """What a form means: a valid spec, or what is wrong with which field.

    `rest`: what the fields say that are not wrong, if that is a spec.
    `workers` and `devices` None: what the machine allows.
    """

    values: dict[str, Any]
    rest: SearchSpec | None
    problems: dict[str, str]
    workers: int | None = None
    devices: list[str] | None = None
    name: str | None = None

    @property
    def spec(self) -> SearchSpec | None:
        """What the form means; None if anything is wrong."""
        return None if self.problems else self.rest


def field_of_space(space: int, hyperparameter: str) -> str:
    """The field of a hyperparameter in a space."""
    return f"space.{space}.{hyperparameter}"


def _in_space(name: str) -> tuple[int, str]:
    _, space, hyperparameter = name.split(".")
    return int(space), hyperparameter


def read(form: Form) -> Reading:
    """The spec that a form means, validated by the engine; every field that cannot be read has its problem."""
    problems: dict[str, str] = {}
    for field_name, text in form.texts():
        if len(text) > MOST_CHARACTERS:
            problems[field_name] = f"at most {MOST_CHARACTERS:,} characters; these are {len(text):,}"
            form = form.with_text(field_name, "")
    values = _general_values(form, problems)
    spaces = [_space_values(space, number, problems) for number, space in enumerate(form.spaces)]
    values |= copy.deepcopy(dict(form.kept))
    values["space"] = spaces[0] if len(spaces) == 1 else spaces
    workers, devices, name = _workers(form, problems), _devices(form, problems), _name(form, problems)
    spec = _judge(form, values, problems)
    return Reading(values, spec, problems, workers, devices, name)


def _judge(form: Form, values: Mapping[str, Any], problems: dict[str, str]) -> SearchSpec | None:
    """The spec, if the engine accepts the values; it stops at its first mistake, so that is put aside for the next."""
    rest = {**values, "space": copy.deepcopy(values["space"])}
    for _ in range(len(GENERAL) + len(HYPERPARAMETER_NAMES)):
        try:
            return SearchSpec.from_values(rest)
        except SpecError as error:
            field_name = field_of_place(error.place)
            problems.setdefault(field_name, _as_typed(form, field_name, error))
            if not _put_aside(rest, field_name):
                break
    return None


def _put_aside(values: dict[str, Any], name: str) -> bool:
    """Take a field's value out; whether there was one."""
    if name in GENERAL:
        known = SearchSpec().to_values()
        changed = name in values and values[name] != known[name]
        values[name] = known[name]
        return changed
    number, hyperparameter = _in_space(name)
    spaces = values["space"] if isinstance(values["space"], list) else [values["space"]]
    return number < len(spaces) and spaces[number].pop(hyperparameter, None) is not None


def _as_typed(form: Form, field_name: str, error: SpecError) -> str:
    """What is wrong, in the field's own syntax where that is not the spec's."""
    if field_name not in TYPED:
        return message_of(error)
    if error.place == field_name:
        problem = f"{json.dumps(form.text(field_name).strip()[:60], ensure_ascii=False)} is not accepted"
    else:
        problem = message_of(error)
    return f"{problem}; as in: {TYPED[field_name]}"


def message_of(error: SpecError) -> str:
    """The engine's own words, with the place only as far as the field does not say it."""
    where = re.search(r"\]\.([a-z_0-9]+)", error.place)
    inside = f"{where[1]}: " if where and where[1] not in HYPERPARAMETER_NAMES else ""
    value = _shown(error.value)
    shown = value if len(value) <= 60 else f"{value[:57]}..."
    # The engine names a strategy as TOML has it, the form as its field does.
    accepted = re.sub(r"strategy = \{ (\w+) = n \}", r"strategy \1 30", error.accepted)
    return f"{inside}{shown} is not accepted; accepted: {accepted}"


def _shown(value: Any) -> str:
    if isinstance(value, Words):
        return str(value)
    return text_of(value) if isinstance(value, Mapping) else json.dumps(value, default=repr)


def field_of_place(place: str) -> str:
    """The field that a SpecError's place is about: `space[1].epochs[0]` stands in `space.1.epochs`."""
    match = re.match(r"space(?:\[(\d+)\])?\.([a-z_0-9]+)", place)
    if match and match[2] in HYPERPARAMETER_NAMES:
        return field_of_space(int(match[1] or 0), match[2])
    head = re.match(r"[a-z_0-9]+", place)
    name = head[0] if head else ""
    if name == "stage":
        return "strategy"  # has no field of its own
    if name in GENERAL:
        return name
    return field_of_space(0, name if name in HYPERPARAMETER_NAMES else HYPERPARAMETER_NAMES[0])


def form_of(values: Mapping[str, Any], *, workers: int | None = None, devices: Sequence[str] | None = None) -> Form:
    """The form that shows a spec, its values as `SearchSpec.to_values` gives them. `name` stays empty.

    What no spec can hold is shown made harmless: an editor draws its text as it is.
    """
    general = dict(GENERAL)
    for key in GENERAL:
        if values.get(key) is not None:
            general[key] = clean(_general_text(key, values[key]))
    general["workers"] = str(workers) if workers is not None else ""
    general["devices"] = clean(", ".join(devices or ()))
    raw = values.get("space", {})
    spaces = tuple(
        {name: clean(text_of(space[name])) for name in HYPERPARAMETER_NAMES if name in space}
        for space in (raw if isinstance(raw, list) else [raw])
    )
    unshown = set(SearchSpec.__struct_fields__) - set(GENERAL) - {"space"}
    kept = {key: value for key, value in values.items() if key in unshown and value}
    return Form(general, spaces or ({},), kept)


def _general_text(key: str, value: Any) -> str:
    if key == "strategy":
        return strategy_in_words(value)
    if key == "scoring":
        return ", ".join(value) if isinstance(value, list) else str(value)
    if key == "early_stopping" and isinstance(value, Mapping):
        return ", ".join(f"{name} {text_of(item)}" for name, item in value.items())
    return text_of(value) if isinstance(value, int | float) else str(value)


def _general_values(form: Form, problems: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key in GENERAL:
        text = form.text(key).strip()
        if key in _NOT_IN_SPEC:
            continue
        text = text or GENERAL[key]
        if not text:
            continue
        try:
            values[key] = _general_value(key, text)
        except ValueSyntaxError as error:
            problems[key] = str(error)
    return values


def _strategy_value(text: str) -> Any:
    """`grid`, or a table from `halving 60, factor=3`; `random=30` is `random 30`."""
    match = re.fullmatch(r"([a-z]+)(?:\s*=?\s*(\d{1,9}))?((?:,\s*[a-z_]+\s*=\s*[\w.]+)*)", text)
    if match is None or not (match[2] or match[3]):
        return text
    options = (pair.split("=") for pair in match[3].split(",") if pair)
    values = {name.strip(): _option_value(value.strip()) for name, value in options}
    return {match[1]: int(match[2]) if match[2] else "grid", **values}


def _option_value(text: str) -> Any:
    numbers = values_of(text)
    return numbers[0] if isinstance(numbers, list) and len(numbers) == 1 else text


def _general_value(key: str, text: str) -> Any:
    if key == "scoring":
        return [word.strip() for word in text.split(",") if word.strip()]
    if key == "strategy":
        return _strategy_value(text)
    if key == "early_stopping":
        # `patience 3, min_delta 0.01, stop false`; a number alone is the patience.
        pieces = [piece.strip().rpartition(" ") for piece in text.replace("=", " ").split(",")]
        return {name.strip() or "patience": _one_value(value) for name, _, value in pieces}
    if key == "subsample" and (percent := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", text)):
        return float(percent[1]) / 100
    if key in _NUMBERS:
        plain = text.replace(",", "").replace("_", "") if re.fullmatch(r"\d{1,3}(?:[,_]\d{3})+", text) else text
        return _one_value(plain)
    return text


def _one_value(text: str) -> Any:
    values = values_of(text)
    if isinstance(values, dict) or len(values) != 1:
        message = "one number is expected here"
        raise ValueSyntaxError(message, 0)
    return values[0]


def _space_values(space: Mapping[str, str], number: int, problems: dict[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in HYPERPARAMETER_NAMES:
        text = space.get(name, "").strip()
        if not text:
            continue  # a hyperparameter that is not named has its default
        try:
            values[name] = values_of(text, "schedule" if name == "learning_rate" else "name")
        except ValueSyntaxError as error:
            problems[field_of_space(number, name)] = f"{error} (character {error.position + 1})"
    return values


def _workers(form: Form, problems: dict[str, str]) -> int | None:
    text = form.text("workers").strip()
    if not text or text == "auto":
        return None
    if not re.fullmatch(r"\d{1,4}", text) or not 1 <= int(text) <= MOST_WORKERS:
        accepted = f"a whole number from 1 to {MOST_WORKERS}, or nothing"
        problems["workers"] = f"{json.dumps(text)} is not accepted; accepted: {accepted}"
        return None
    return int(text)


def _devices(form: Form, problems: dict[str, str]) -> list[str] | None:
    """By their names; whether this machine has them is asked where nothing waits for the answer."""
    text = form.text("devices").strip()
    if not text:
        return None
    try:
        return parse_devices(text)
    except UsageError as error:
        problems["devices"] = str(error).removeprefix("devices: ")
        return None


def _name(form: Form, problems: dict[str, str]) -> str | None:
    text = form.text("name").strip()
    if not text:
        return None
    try:
        return check_identifier(text)
    except UsageError as error:
        problems["name"] = str(error)
        return None
