"""The strategies that a spec can name, the options of each, and what is accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.errors import SpecError
from engine.spec.catalogue import Number, Word

_COUNT = Number(1, 1_000_000, integer=True)


@dataclass(frozen=True)
class Kind:
    """A strategy: whether it can take the whole grid, or a number of combinations, and its options with defaults."""

    whole_grid: bool = True
    number: bool = True
    options: dict[str, tuple[Number | Word, Any]] = field(default_factory=dict)


STRATEGIES: dict[str, Kind] = {
    "grid": Kind(number=False),
    "random": Kind(whole_grid=False),
    "halving": Kind(
        options={
            "factor": (Number(1.5, 100), 3),
            "over": (Word(("epochs", "rows")), "epochs"),
            "least": (Number(1, integer=True, optional=True), None),
        }
    ),
    "hyperband": Kind(
        whole_grid=False,
        options={"factor": (Number(1.5, 100), 3), "least": (Number(1, integer=True, optional=True), None)},
    ),
    "racing": Kind(
        options={
            "error": (Number(0, 1, low_open=True, high_open=True), 0.05),
            "between": (Word(("folds", "epochs")), "folds"),
        }
    ),
    "bayes": Kind(
        whole_grid=False,
        options={"first": (_COUNT, 10), "lag": (_COUNT, 4), "sampler": (Word(("tpe", "gp")), "tpe")},
    ),
}


@dataclass(frozen=True)
class Choice:
    """A strategy with its options: `count` combinations are drawn or chosen, or None: the whole grid is taken."""

    name: str
    count: int | None
    options: dict[str, Any]

    @property
    def draws(self) -> bool:
        """Whether combinations are drawn, so that a space may hold distributions."""
        return self.count is not None

    @property
    def first(self) -> int | None:
        """How many combinations are drawn at random before the search begins; None: the whole grid is taken."""
        return min(self.count, self.options["first"]) if self.count and "first" in self.options else self.count


def parse_strategy(value: object) -> Choice:
    """A strategy as a spec names it: `"grid"`, or a table such as `{ halving = 60, factor = 3 }`. Raises SpecError.

    The first key names the strategy; its value is the number of combinations to draw, or "grid" for all of them.
    """
    if isinstance(value, str) and value in STRATEGIES:
        if not STRATEGIES[value].whole_grid:
            raise SpecError("strategy", value, f"{{ {value} = n }}, where n is {_COUNT}, the combinations to draw")
        value = {value: "grid"}
    names = [name for name in value if name in STRATEGIES] if isinstance(value, dict) else []
    if not isinstance(value, dict) or len(names) != 1:
        raise SpecError("strategy", value, _accepted())
    name = names[0]
    kind, given = STRATEGIES[name], value[name]
    count = None if given == "grid" else given
    if count is None and not kind.whole_grid:
        raise SpecError(f"strategy.{name}", given, f"{_COUNT}, the combinations to draw")
    if count is not None and not (kind.number and _COUNT.accepts(count)):
        words = [*(['"grid"'] if kind.whole_grid else []), *([str(_COUNT)] if kind.number else [])]
        raise SpecError(f"strategy.{name}", given, " or ".join(words))
    options = {option: default for option, (_, default) in kind.options.items()}
    for option, wanted in value.items():
        if option == name:
            continue
        if option not in kind.options:
            raise SpecError(f"strategy.{option}", wanted, f"one of: {', '.join(kind.options) or 'no options'}")
        accepted = kind.options[option][0]
        if not accepted.accepts(wanted):
            raise SpecError(f"strategy.{option}", wanted, str(accepted))
        options[option] = accepted.canonical(wanted) if isinstance(accepted, Word) else wanted
    return Choice(name, count, options)


def packages_of(value: object) -> tuple[str, ...]:
    """What must be installed beside foldwatch's own for a strategy as a record has it."""
    if strategy_name(value) != "bayes":
        return ()
    uses_torch = isinstance(value, dict) and str(value.get("sampler")).lower() == "gp"
    return ("optuna", "torch") if uses_torch else ("optuna",)


def strategy_name(value: object) -> str:
    """The name in a strategy as a record has it, valid or not."""
    return str(next(iter(value), "")) if isinstance(value, dict) else str(value)


def strategy_in_words(value: object) -> str:
    """`halving 60, factor=3`: a strategy as forms, reports and comparisons show it."""
    if not isinstance(value, dict):
        return str(value)
    name = strategy_name(value)
    count = "" if value.get(name) == "grid" else f" {value.get(name)}"
    return ", ".join([f"{name}{count}", *(f"{key}={item}" for key, item in value.items() if key != name)])


def _accepted() -> str:
    tables = [f"{{ {name} = n }}" for name, kind in STRATEGIES.items() if kind.number]
    words = [f'"{name}"' for name, kind in STRATEGIES.items() if kind.whole_grid]
    return f"{', '.join(words)}, or a table: {', '.join(tables)}"
