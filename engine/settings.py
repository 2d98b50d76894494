"""What a combination's flat parameters mean, every default filled in: network, optimizer, rate of every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.catalogue import DEFAULT_OPTIMIZER, HYPERPARAMETERS, OPTIMIZERS, SCHEDULES, Arguments
from engine.schedules import depends_on_epochs, in_steps, learning_rates, steps_per_epoch

if TYPE_CHECKING:
    from collections.abc import Mapping


_DEFAULTS = {name: default for name, (_, default) in HYPERPARAMETERS.items()}


@dataclass(frozen=True)
class Settings:
    """A combination with every default filled in and one spelling for equal effects.

    `schedule` is the name of a Keras schedule or None; `schedule_arguments` are as written, in epochs or steps;
    `learning_rate` is the constant rate where there is no schedule. Arguments are sorted pairs, so that settings
    can be compared and hashed.
    """

    epochs: int
    batch_size: int
    hidden_units: tuple[int, ...]
    activation: str
    dropout: float
    l2: float
    optimizer: str
    optimizer_arguments: tuple[tuple[str, Any], ...]
    learning_rate: float | None
    schedule: str | None
    schedule_arguments: tuple[tuple[str, Any], ...]

    @property
    def shares_epochs(self) -> bool:
        """Whether a longer training passes through this one: nothing in it depends on the number of epochs."""
        return not self.schedule_arguments or not depends_on_epochs(dict(self.schedule_arguments))

    def rates(self, rows: int) -> list[float]:
        """The learning rate of every step of a training on `rows` rows."""
        epoch_steps = steps_per_epoch(rows, self.batch_size)
        steps = epoch_steps * self.epochs
        if self.schedule is None:
            assert self.learning_rate is not None
            return [self.learning_rate] * steps
        arguments = in_steps(self.schedule, dict(self.schedule_arguments), epoch_steps, self.epochs)
        return learning_rates(self.schedule, arguments, steps)


def _arguments(params: Mapping[str, Any], prefix: str, known: Arguments) -> tuple[tuple[str, Any], ...]:
    """The arguments behind a prefix, sorted, those left out that say what Keras does anyway."""
    pairs = []
    for name, value in [pair for pair in params.items() if pair[0].startswith(prefix)]:
        argument = name.removeprefix(prefix)
        if name.startswith(prefix) and not (argument in known and value == known[argument][1]):
            pairs.append((argument, tuple(value) if isinstance(value, list) else value))
    return tuple(sorted(pairs))


def settings_of(params: Mapping[str, Any]) -> Settings:
    """The meaning of flat parameters that a spec has validated."""
    given = {**_DEFAULTS, **params}
    units = given["hidden_units"]
    hidden_units = tuple(units) if isinstance(units, list | tuple) else (units,) * given["hidden_layers"]
    optimizer = params.get("optimizer", DEFAULT_OPTIMIZER)
    learning_rate = params.get("learning_rate", OPTIMIZERS[optimizer].learning_rate)
    schedule = learning_rate if isinstance(learning_rate, str) else None
    activation = given["activation"]
    return Settings(
        epochs=given["epochs"],
        batch_size=given["batch_size"],
        hidden_units=hidden_units,
        activation={"swish": "silu", "hard_swish": "hard_silu"}.get(activation, activation),
        dropout=float(given["dropout"]),
        l2=float(given["l2"]),
        optimizer=optimizer,
        optimizer_arguments=_arguments(params, "optimizer__", OPTIMIZERS[optimizer].arguments),
        learning_rate=None if schedule else float(learning_rate),
        schedule=schedule,
        schedule_arguments=_arguments(params, "learning_rate__", SCHEDULES[schedule].optional if schedule else {}),
    )
