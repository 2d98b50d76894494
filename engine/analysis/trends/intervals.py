"""Confidence intervals of means, in plain Python: the app draws them without SciPy."""

from __future__ import annotations

import math
from statistics import NormalDist

CONFIDENCE = 0.95


def mean_interval(mean: float, deviation: float, count: int) -> tuple[float, float] | None:
    """Student's t interval of a mean; `deviation` is the population's (divided by `count`). None of fewer than two."""
    if count < 2:
        return None
    # deviation / sqrt(count - 1) is the sample's deviation / sqrt(count).
    half = student_quantile(0.5 + CONFIDENCE / 2, count - 1) * deviation / math.sqrt(count - 1)
    return mean - half, mean + half


def student_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's t, to 0.2 % for probabilities of 0.9 to 0.99.

    Exact for one and two degrees of freedom; from three on by the expansion 26.7.5 of Abramowitz and Stegun (1964).
    """
    if freedom == 1:
        return math.tan(math.pi * (probability - 0.5))
    if freedom == 2:
        return (2 * probability - 1) * math.sqrt(0.5 / (probability * (1 - probability)))
    x = NormalDist().inv_cdf(probability)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )
    return x + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
