"""Keras' update rules, one function each, and what happens to a weight while its gradient is zero.

Every `advance_*` is one step on a contiguous stretch of weights w with gradients g and up to three slots of state,
in Keras 3.15's own order of operations (`keras/src/optimizers/*.py`); `numbers` is a row of step constants whose
columns `optimizers.py` fills. Weight decay comes first, w -= w * shrink with shrink = weight_decay * rate, and
shrink is zero without it.

A row of the first kernel whose word is absent from a batch has gradient zero. Then its state decays geometrically
and its weights move, if they do, along a series that has a closed form. So such rows are left alone, and caught
up when their word occurs again or the epoch ends: equal to rounding, and no step touches a row in vain.
`skip_*` lengthens one row of the drift table by one such step, `drift_*` applies it to a row of weights:

    drift[0]    lost: w -= w * lost, from weight decay
    drift[1:3]  factors of the slots
    drift[3:]   coefficients of the movement
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.training.kernel.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DRIFT_COLUMNS = 8


@compiled
def advance_sgd(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """w -= rate g."""
    shrink, rate = numbers[0], numbers[1]
    for i in range(len(w)):
        x = w[i]
        w[i] = (x - x * shrink) - g[i] * rate


@compiled
def advance_momentum(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """m = mu m - rate g; w += m."""
    shrink, rate, mu = numbers[0], numbers[1], numbers[2]
    for i in range(len(w)):
        m = first[i] * mu - g[i] * rate
        first[i] = m
        x = w[i]
        w[i] = (x - x * shrink) + m


@compiled
def advance_nesterov(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """m = mu m - rate g; w += mu m - rate g."""
    shrink, rate, mu = numbers[0], numbers[1], numbers[2]
    for i in range(len(w)):
        move = g[i] * rate
        m = first[i] * mu - move
        first[i] = m
        x = w[i]
        w[i] = (x - x * shrink) + (m * mu - move)


@compiled
def advance_rmsprop(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """v = rho v + (1 - rho) g²; w -= rate g / sqrt(v + epsilon)."""
    shrink, rate, rho, fresh, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(len(w)):
        v = rho * first[i] + fresh * (g[i] * g[i])
        first[i] = v
        x = w[i]
        w[i] = (x - x * shrink) - rate * g[i] / np.sqrt(v + epsilon)


@compiled
def advance_rmsprop_momentum(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """v as in RMSprop; m = mu m + rate g / sqrt(v + epsilon); w -= m."""
    shrink, rate, rho, fresh, epsilon, mu = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    for i in range(len(w)):
        v = rho * first[i] + fresh * (g[i] * g[i])
        first[i] = v
        m = mu * second[i] + rate * g[i] / np.sqrt(v + epsilon)
        second[i] = m
        x = w[i]
        w[i] = (x - x * shrink) - m


@compiled
def advance_rmsprop_centered(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """v as in RMSprop; a = rho a + (1 - rho) g; m = mu m + rate g / sqrt(v - a² + epsilon); w -= m."""
    shrink, rate, rho, fresh, epsilon, mu = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]
    for i in range(len(w)):
        v = rho * first[i] + fresh * (g[i] * g[i])
        first[i] = v
        a = rho * third[i] + fresh * g[i]
        third[i] = a
        m = mu * second[i] + rate * g[i] / np.sqrt(v - a * a + epsilon)
        second[i] = m
        x = w[i]
        w[i] = (x - x * shrink) - m


@compiled
def advance_adam(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """m += (1 - b1)(g - m); v += (1 - b2)(g² - v); w -= alpha m / (sqrt(v) + epsilon)."""
    shrink, alpha, fresh_m, fresh_v, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(len(w)):
        m = first[i] + (g[i] - first[i]) * fresh_m
        v = second[i] + (g[i] * g[i] - second[i]) * fresh_v
        first[i] = m
        second[i] = v
        x = w[i]
        w[i] = (x - x * shrink) - m * alpha / (np.sqrt(v) + epsilon)


@compiled
def advance_amsgrad(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """Adam with the greatest v so far under the root."""
    shrink, alpha, fresh_m, fresh_v, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for i in range(len(w)):
        m = first[i] + (g[i] - first[i]) * fresh_m
        v = second[i] + (g[i] * g[i] - second[i]) * fresh_v
        first[i] = m
        second[i] = v
        # Written so that NaN stays NaN.
        greatest = third[i] if third[i] > v else v
        third[i] = greatest
        x = w[i]
        w[i] = (x - x * shrink) - m * alpha / (np.sqrt(greatest) + epsilon)


@compiled
def advance_nadam(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """m, v as in Adam; w -= rate (c m + d g) / (sqrt(v / (1 - b2^t)) + epsilon)."""
    shrink, rate, fresh_m, fresh_v, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for_m, for_g, unbiased = numbers[5], numbers[6], numbers[7]
    for i in range(len(w)):
        m = first[i] + (g[i] - first[i]) * fresh_m
        v = second[i] + (g[i] * g[i] - second[i]) * fresh_v
        first[i] = m
        second[i] = v
        x = w[i]
        w[i] = (x - x * shrink) - (for_m * m + for_g * g[i]) * rate / (np.sqrt(v / unbiased) + epsilon)


@compiled
def advance_adagrad(w: Array, g: Array, first: Array, second: Array, third: Array, numbers: Array) -> None:
    """a += g²; w -= rate g / sqrt(a + epsilon)."""
    shrink, rate, epsilon = numbers[0], numbers[1], numbers[2]
    for i in range(len(w)):
        a = first[i] + g[i] * g[i]
        first[i] = a
        x = w[i]
        w[i] = (x - x * shrink) - rate * g[i] / np.sqrt(a + epsilon)


@compiled
def skip_plain(drift: Array, numbers: Array) -> None:
    """Without state that moves or decays, only weight decay acts."""
    drift[0] += (1.0 - drift[0]) * numbers[0]


@compiled
def drift_plain(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """w -= w lost."""
    lost = w.dtype.type(drift[0])
    for i in range(len(w)):
        w[i] -= w[i] * lost


@compiled
def skip_momentum(drift: Array, numbers: Array) -> None:
    """m *= mu; w += m."""
    drift[0] += (1.0 - drift[0]) * numbers[0]
    drift[1] *= numbers[2]
    drift[3] += drift[1] - drift[3] * numbers[0]


@compiled
def skip_nesterov(drift: Array, numbers: Array) -> None:
    """m *= mu; w += mu m."""
    drift[0] += (1.0 - drift[0]) * numbers[0]
    drift[1] *= numbers[2]
    drift[3] += drift[1] * numbers[2] - drift[3] * numbers[0]


@compiled
def drift_momentum(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """w += m (mu + mu² + ...); m *= mu^k."""
    real = w.dtype.type
    lost, factor, series = real(drift[0]), real(drift[1]), real(drift[3])
    for i in range(len(w)):
        m = first[i]
        x = w[i]
        w[i] = (x - x * lost) + m * series
        first[i] = m * factor


@compiled
def skip_rmsprop(drift: Array, numbers: Array) -> None:
    """v *= rho; m *= mu; w -= m."""
    drift[0] += (1.0 - drift[0]) * numbers[0]
    drift[1] *= numbers[2]
    drift[2] *= numbers[5]
    drift[3] += drift[2] - drift[3] * numbers[0]


@compiled
def drift_rmsprop(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """v *= rho^k; the weights rest."""
    factor = w.dtype.type(drift[1])
    for i in range(len(w)):
        first[i] *= factor


@compiled
def drift_rmsprop_decayed(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """v *= rho^k; w -= w lost."""
    real = w.dtype.type
    lost, factor = real(drift[0]), real(drift[1])
    for i in range(len(w)):
        first[i] *= factor
        w[i] -= w[i] * lost


@compiled
def drift_rmsprop_momentum(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """v *= rho^k; w -= m (mu + mu² + ...); m *= mu^k."""
    real = w.dtype.type
    lost, factor_v, factor_m, series = real(drift[0]), real(drift[1]), real(drift[2]), real(drift[3])
    for i in range(len(w)):
        m = second[i]
        x = w[i]
        w[i] = (x - x * lost) - m * series
        first[i] *= factor_v
        second[i] = m * factor_m


@compiled
def drift_rmsprop_centered(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """As with momentum, and a *= rho^k."""
    drift_rmsprop_momentum(w, first, second, third, drift, numbers)
    factor = w.dtype.type(drift[1])
    for i in range(len(w)):
        third[i] *= factor


@compiled
def skip_adam(drift: Array, numbers: Array) -> None:
    """m *= b1; v *= b2; the five moments of the series that `drift_adam` explains."""
    keep = 1.0 - numbers[0]
    drift[0] += (1.0 - drift[0]) * numbers[0]
    drift[1] *= 1.0 - numbers[2]
    drift[2] *= 1.0 - numbers[3]
    term = numbers[1] * drift[1]
    fallen = 1.0 - math.sqrt(drift[2])
    for power in range(3, DRIFT_COLUMNS):
        drift[power] = drift[power] * keep + term
        term *= fallen


@compiled
def drift_adam(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """Many steps of Adam without gradient, at the price of one.

    With m, v the state that was left and s = sqrt(v), u = s + epsilon, b = sqrt(b2), the i-th step subtracts

        alpha_i b1^i m / (s b^i + epsilon) = (m / u) alpha_i b1^i / (1 - (s / u)(1 - b^i))
                                           = (m / u) sum_p (s / u)^p alpha_i b1^i (1 - b^i)^p.

    The sum over i of the factors that do not depend on the weight is kept for p = 0..4. b1^i falls before
    (1 - b^i)^5 has grown: with Keras' defaults the rest is below 1e-10 of the movement. `optimizers.py` takes
    the dense form where b1 and b2 would leave more.
    """
    real = w.dtype.type
    one = real(1)
    lost, factor_m, factor_v, epsilon = real(drift[0]), real(drift[1]), real(drift[2]), numbers[4]
    c0, c1, c2, c3, c4 = real(drift[3]), real(drift[4]), real(drift[5]), real(drift[6]), real(drift[7])
    for i in range(len(w)):
        m = first[i]
        v = second[i]
        s = np.sqrt(v)
        inverse = one / (s + epsilon)
        q = s * inverse
        x = w[i]
        w[i] = (x - x * lost) - m * inverse * (c0 + q * (c1 + q * (c2 + q * (c3 + q * c4))))
        first[i] = m * factor_m
        second[i] = v * factor_v


@compiled
def drift_amsgrad(w: Array, first: Array, second: Array, third: Array, drift: Array, numbers: Array) -> None:
    """The greatest v stays, so the series is geometric: w -= m / (sqrt(greatest) + epsilon) sum_i alpha_i b1^i."""
    real = w.dtype.type
    lost, factor_m, factor_v, series = real(drift[0]), real(drift[1]), real(drift[2]), real(drift[3])
    epsilon = numbers[4]
    for i in range(len(w)):
        m = first[i]
        x = w[i]
        w[i] = (x - x * lost) - m * series / (np.sqrt(third[i]) + epsilon)
        first[i] = m * factor_m
        second[i] *= factor_v
