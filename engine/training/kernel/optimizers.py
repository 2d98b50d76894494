"""The table of optimizers: the rules that each consists of, and the numbers that its steps need."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.coverage import full_arguments
from engine.training.kernel import rules, updates
from engine.training.kernel.compiling import specialised

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from engine.training.interface import TrainingRequest

    Array = NDArray[Any]
    Arguments = Mapping[str, float | bool | None]


@dataclass(frozen=True)
class Rule:
    """One optimizer with fixed options.

    `advance`, `skip`, `drift`: see `rules`; without `drift` every step visits every row;
    `slots`: arrays of state;
    `rests`: whether weights without gradient stay where they are (without weight decay), so that catching up can wait
    for the update;
    `worth`: the share of touched rows below which catching up is cheaper than visiting every row.
    """

    name: str
    advance: Callable[..., None]
    slots: int
    numbers: Callable[[Arguments, Array, type[np.floating[Any]]], Array]
    skip: Callable[..., None] = rules.skip_plain
    drift: Callable[..., None] | None = None
    rests: bool = False
    worth: float = 1.0

    @property
    def stateless(self) -> bool:
        """Whether a row without gradient stays as it is, state and all (without weight decay)."""
        return self.rests and self.drift is rules.drift_plain

    @functools.cached_property
    def update_touched(self) -> Callable[..., None]:
        """One step on the rows that occur and on all other layers."""
        drift = self.drift or rules.drift_plain
        return specialised(updates.update_touched, self.name, advance=self.advance, skip=self.skip, drift=drift)

    @functools.cached_property
    def update_all(self) -> Callable[..., None]:
        """One step on every row and on all other layers."""
        return specialised(updates.update_all, self.name, advance=self.advance)

    @functools.cached_property
    def catch_up(self) -> Callable[..., None]:
        """The steps that the given rows have missed."""
        return specialised(updates.catch_up, self.name, drift=self.drift or rules.drift_plain)


def _columns(*columns: Any) -> Array:
    """One row a step: columns that are numbers are repeated; the type is that of the learning rates."""
    rates = columns[1]
    table = np.empty((len(rates), len(columns)), rates.dtype)
    for position, column in enumerate(columns):
        table[:, position] = column
    return table


def _shrink(arguments: Arguments, rates: Array) -> Array:
    return np.float32(arguments["weight_decay"] or 0.0) * rates


def _sgd(arguments: Arguments, rates: Array, real: type[np.floating[Any]]) -> Array:
    return _columns(_shrink(arguments, rates), rates, np.float32(arguments["momentum"] or 0.0))


def _rmsprop(arguments: Arguments, rates: Array, real: type[np.floating[Any]]) -> Array:
    rho = arguments["rho"] or 0.0
    return _columns(_shrink(arguments, rates), rates, rho, 1 - rho, arguments["epsilon"], arguments["momentum"])


def _adam(arguments: Arguments, rates: Array, real: type[np.floating[Any]]) -> Array:
    """alpha = rate sqrt(1 - b2^t) / (1 - b1^t), the betas under the power rounded to float32, as `ops.cast` does."""
    steps = np.arange(1, len(rates) + 1).astype(real)
    beta_1, beta_2 = arguments["beta_1"] or 0.0, arguments["beta_2"] or 0.0
    power_1, power_2 = real(np.float32(beta_1)) ** steps, real(np.float32(beta_2)) ** steps
    alpha = rates * np.sqrt(1 - power_2) / (1 - power_1)
    return _columns(_shrink(arguments, rates), alpha, 1 - beta_1, 1 - beta_2, arguments["epsilon"])


def _nadam(arguments: Arguments, rates: Array, real: type[np.floating[Any]]) -> Array:
    """u_t = b1 (1 - 0.96^t / 2); c = u_(t+1) / (1 - u_1...u_(t+1)); d = (1 - u_t) / (1 - u_1...u_t)."""
    steps = np.arange(1, len(rates) + 2).astype(real)
    beta_1, beta_2 = real(np.float32(arguments["beta_1"])), real(np.float32(arguments["beta_2"]))
    # Keras rounds 0.96 and b1 to float32 in the step, but not in the running product.
    running = np.cumprod(real(arguments["beta_1"]) * (1 - real(0.5) * real(0.96) ** steps))[:-1]
    u = beta_1 * (1 - real(0.5) * real(np.float32(0.96)) ** steps)
    for_m, for_g = u[1:] / (1 - running * u[1:]), (1 - u[:-1]) / (1 - running)
    unbiased = 1 - beta_2 ** steps[:-1]
    fresh = (1 - beta_1, 1 - beta_2)
    return _columns(_shrink(arguments, rates), rates, *fresh, arguments["epsilon"], for_m, for_g, unbiased)


def _adagrad(arguments: Arguments, rates: Array, real: type[np.floating[Any]]) -> Array:
    return _columns(_shrink(arguments, rates), rates, arguments["epsilon"])


_TABLE = {
    rule.name: rule
    for rule in (
        Rule("sgd", rules.advance_sgd, 0, _sgd, drift=rules.drift_plain, rests=True),
        Rule("momentum", rules.advance_momentum, 1, _sgd, rules.skip_momentum, rules.drift_momentum, worth=0.7),
        Rule("nesterov", rules.advance_nesterov, 1, _sgd, rules.skip_nesterov, rules.drift_momentum, worth=0.7),
        Rule("rmsprop", rules.advance_rmsprop, 1, _rmsprop, rules.skip_rmsprop, rules.drift_rmsprop, rests=True),
        Rule(
            "rmsprop_decayed",
            rules.advance_rmsprop,
            1,
            _rmsprop,
            rules.skip_rmsprop,
            rules.drift_rmsprop_decayed,
        ),
        Rule(
            "rmsprop_momentum",
            rules.advance_rmsprop_momentum,
            2,
            _rmsprop,
            rules.skip_rmsprop,
            rules.drift_rmsprop_momentum,
            worth=0.5,
        ),
        Rule(
            "rmsprop_centered",
            rules.advance_rmsprop_centered,
            3,
            _rmsprop,
            rules.skip_rmsprop,
            rules.drift_rmsprop_centered,
            worth=0.5,
        ),
        Rule("adam", rules.advance_adam, 2, _adam, rules.skip_adam, rules.drift_adam, worth=0.5),
        Rule("amsgrad", rules.advance_amsgrad, 3, _adam, rules.skip_adam, rules.drift_amsgrad, worth=0.5),
        Rule("nadam", rules.advance_nadam, 2, _nadam),
        Rule("adagrad", rules.advance_adagrad, 1, _adagrad, drift=rules.drift_plain, rests=True),
    )
}


def rule_for(request: TrainingRequest) -> Rule:
    """The rule that Keras' optimizer amounts to with the request's arguments."""
    arguments = full_arguments(request.optimizer, request.optimizer_arguments)
    if request.optimizer == "sgd":
        name = "sgd" if not arguments["momentum"] else "nesterov" if arguments["nesterov"] else "momentum"
    elif request.optimizer == "rmsprop" and arguments["centered"]:
        name = "rmsprop_centered"
    elif request.optimizer == "rmsprop" and arguments["momentum"]:
        name = "rmsprop_momentum"
    elif request.optimizer == "rmsprop" and arguments["weight_decay"]:
        name = "rmsprop_decayed"
    elif request.optimizer in ("adam", "adamw"):
        name = "amsgrad" if arguments["amsgrad"] else "adam"
    else:
        name = request.optimizer
    return _TABLE[name]


def can_drift(request: TrainingRequest) -> bool:
    """Whether rows without gradient can be caught up exactly, to rounding.

    Not with L2, whose gradient is never zero; for Adam only where the series in `drift_adam` has converged:
    max over i of b1^i (1 - b^i)^5 below 1e-9.
    """
    rule = rule_for(request)
    if rule.drift is None or (request.network.l2 > 0 and request.network.hidden_units):
        return False
    if rule.name == "adam":
        arguments = full_arguments(request.optimizer, request.optimizer_arguments)
        steps = np.arange(1, 100_000)
        root = np.sqrt(arguments["beta_2"] or 0.0)
        return bool(np.max((arguments["beta_1"] or 0.0) ** steps * (1 - root**steps) ** 5) < 1e-9)
    return True
