"""The activation functions of Keras with their derivatives, chosen by a small integer outside the inner loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from engine.training.coverage import activation_code
from engine.training.kernel.compiling import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

# These numbers become constants of compiled functions: the name of the cache depends on what decides them.
_LINEAR = activation_code("linear")
_RELU = activation_code("relu")
_LEAKY_RELU = activation_code("leaky_relu")
_RELU6 = activation_code("relu6")
_HARD_SIGMOID = activation_code("hard_sigmoid")
_SIGMOID = activation_code("sigmoid")
_TANH = activation_code("tanh")
_SOFTPLUS = activation_code("softplus")
_SOFTSIGN = activation_code("softsign")
_ELU = activation_code("elu")
_SELU = activation_code("selu")
_EXPONENTIAL = activation_code("exponential")
_SILU = activation_code("silu")
_GELU = activation_code("gelu")
_MISH = activation_code("mish")

_SELU_SCALE = 1.0507009873554805
_SELU_SCALE_ALPHA = 1.7580993408473768


@compiled
def activate(code: int, values: NDArray[Any], slopes: NDArray[Any]) -> None:
    """Replace each z in `values` by f(z), and fill `slopes` with f'(z); both are contiguous, of one shape.

    At a kink the derivative is the one that TensorFlow takes: 0 for relu, relu6 and hard_sigmoid, 0.2 for
    leaky_relu, and the branch of z < 0 excluded for elu and selu.
    """
    real = values.dtype.type
    zero, half, one, six = real(0), real(0.5), real(1), real(6)
    if code == _LINEAR:
        for i in range(len(values)):
            slopes[i] = one
    elif code == _RELU:
        for i in range(len(values)):
            z = values[i]
            slopes[i] = one if z > zero else zero
            # Written so that NaN stays NaN.
            values[i] = zero if z < zero else z
    elif code == _LEAKY_RELU:
        slope = real(0.2)
        for i in range(len(values)):
            z = values[i]
            slopes[i] = one if z > zero else slope
            values[i] = z * (one if z > zero else slope)
    elif code == _RELU6:
        for i in range(len(values)):
            z = values[i]
            slopes[i] = one if zero < z < six else zero
            values[i] = zero if z < zero else (six if z > six else z)
    elif code == _HARD_SIGMOID:
        three = real(3)
        for i in range(len(values)):
            z = values[i] + three
            slopes[i] = one / six if zero < z < six else zero
            values[i] = (zero if z < zero else (six if z > six else z)) / six
    elif code == _SIGMOID:
        for i in range(len(values)):
            f = one / (one + math.exp(-values[i]))
            values[i] = f
            slopes[i] = f * (one - f)
    elif code == _TANH:
        for i in range(len(values)):
            f = math.tanh(values[i])
            values[i] = f
            slopes[i] = one - f * f
    elif code == _SOFTPLUS:
        for i in range(len(values)):
            z = values[i]
            values[i] = max(z, zero) + math.log1p(math.exp(-abs(z)))
            slopes[i] = one / (one + math.exp(-z))
    elif code == _SOFTSIGN:
        for i in range(len(values)):
            inverse = one / (one + abs(values[i]))
            values[i] *= inverse
            slopes[i] = inverse * inverse
    elif code == _ELU:
        for i in range(len(values)):
            z = values[i]
            if z < zero:
                values[i] = math.expm1(z)
            slopes[i] = values[i] + one if z < zero else one
    elif code == _SELU:
        scale, scale_alpha = real(_SELU_SCALE), real(_SELU_SCALE_ALPHA)
        for i in range(len(values)):
            z = values[i]
            values[i] = scale_alpha * math.expm1(z) if z < zero else scale * z
            slopes[i] = values[i] + scale_alpha if z < zero else scale
    elif code == _EXPONENTIAL:
        for i in range(len(values)):
            values[i] = math.exp(values[i])
            slopes[i] = values[i]
    elif code == _SILU:
        for i in range(len(values)):
            z = values[i]
            f = one / (one + math.exp(-z))
            values[i] = z * f
            slopes[i] = f * (one + z * (one - f))
    elif code == _GELU:
        root = real(math.sqrt(0.5))
        density = real(1.0 / math.sqrt(2.0 * math.pi))
        for i in range(len(values)):
            z = values[i]
            below = half * (one + math.erf(z * root))
            values[i] = z * below
            slopes[i] = below + z * density * math.exp(-half * z * z)
    elif code == _MISH:
        for i in range(len(values)):
            z = values[i]
            f = math.tanh(max(z, zero) + math.log1p(math.exp(-abs(z))))
            values[i] = z * f
            slopes[i] = f + z * (one - f * f) / (one + math.exp(-z))
