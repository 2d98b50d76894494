"""How fast trainings really are: each part of their planned cost times a factor that is learned as they end.

The model is Bayesian linear regression (Bishop, Pattern Recognition and Machine Learning, 2006, section 3.3). A
training's seconds divided by its planned cost are the shares of its parts times the factors of those parts, plus
noise. Before anything ran, every factor is the speed of the machine, of which nothing is known, times something near
1, because the constants of `engine.plan.cost` were measured elsewhere. All that is kept are moments, a few numbers for
each pair of parts: learning and reading cost the same after ten trainings and after ten thousand.

Three things keep the interval right. The pace of a machine changes with what else runs on it, so old trainings fade,
and what neighbours in time share is separated from what each has alone: the covariance of neighbouring residuals is the
variance of the pace itself. The noise of single trainings averages out over those to come, the pace need not.
And a training that took far too long had an accident, so it counts only up to a limit.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from engine.plan.cost import Parts

_FADE = 0.9  # of the weight of a training with each that ends after it: about the last ten count
_PART_DEVIATION = 0.8  # of a part's factor from the machine's, relative: how wrong the constants may be elsewhere
_SPEED_DEVIATION = 3.0  # of the machine's factor: nothing is known of it
_NOISE = 0.1  # relative, of one training, before it is known ...
_DRIFT = 0.25  # ... and of the pace of the machine from one part of a search to another ...
_BELIEF = 5.0  # ... both believed as much as so many trainings
_ACCIDENT = 3.0  # times what the last trainings took, relative to their cost
_LARGEST_WEIGHT = 1e6


class Pace:
    """Learns from the trainings that ended how long others take. It depends on nothing but them and their order."""

    def __init__(self) -> None:
        self._weight = 1.0  # of the next training: growing instead of letting all others fade
        self._moments = _Moments()
        self._last: tuple[Parts, float] | None = None

    @property
    def evidence(self) -> float:
        """How many trainings count, faded ones in part."""
        return self._moments.count / self._weight

    def learn(self, parts: Parts, seconds: float) -> None:
        """A training of this cost, in parts, took so long."""
        cost = sum(parts.values())
        if cost <= 0:
            return
        shares = {name: part / cost for name, part in parts.items()}
        ratio = seconds / cost
        if self._moments.cost > 0:
            ratio = min(ratio, _ACCIDENT * self._moments.seconds / self._moments.cost)
        self._weight /= _FADE
        self._moments.add(shares, ratio, cost, self._weight)
        if self._last is not None:
            self._moments.add_neighbours(self._last, (shares, ratio), self._weight)
        self._last = shares, ratio
        if self._weight > _LARGEST_WEIGHT:
            self._moments.scale(1 / self._weight)
            self._weight = 1.0

    def fit(self, running: Iterable[tuple[Parts, float, float]] = ()) -> Fit:
        """The factors as they are known now; those of the plan before anything was seen.

        `running`: of each training that is not over: the cost so far, in parts; its seconds; how much of it that is.
        """
        moments = self._moments.copy(1 / self._weight)
        for parts, seconds, share in running:
            cost = sum(parts.values())
            if cost > 0:
                moments.add({name: part / cost for name, part in parts.items()}, seconds / cost, cost, share)
        return Fit(moments)


class _Moments:
    """Weighted sums over trainings: all that the regression needs."""

    def __init__(self) -> None:
        self.count = 0.0
        self.cost = 0.0
        self.seconds = 0.0
        self.ratios = 0.0  # squares
        self.neighbour_ratios = 0.0  # products
        self.neighbours = 0.0
        self.products: dict[str, float] = defaultdict(float)  # of shares and ratios
        self.shares: dict[tuple[str, str], float] = defaultdict(float)  # of shares and shares
        self.neighbour_products: dict[str, float] = defaultdict(float)
        self.neighbour_shares: dict[tuple[str, str], float] = defaultdict(float)

    def add(self, shares: Parts, ratio: float, cost: float, weight: float) -> None:
        self.count += weight
        self.cost += weight * cost
        self.seconds += weight * cost * ratio
        self.ratios += weight * ratio * ratio
        for one, share in shares.items():
            self.products[one] += weight * share * ratio
            for other, another in shares.items():
                self.shares[one, other] += weight * share * another

    def add_neighbours(self, before: tuple[Parts, float], after: tuple[Parts, float], weight: float) -> None:
        self.neighbours += weight
        self.neighbour_ratios += weight * before[1] * after[1]
        for one, share in before[0].items():
            self.neighbour_products[one] += weight * share * after[1]
            for other, another in after[0].items():
                self.neighbour_shares[one, other] += weight * share * another
        for one, share in after[0].items():
            self.neighbour_products[one] += weight * share * before[1]

    def scale(self, factor: float) -> None:
        self.count *= factor
        self.cost *= factor
        self.seconds *= factor
        self.ratios *= factor
        self.neighbour_ratios *= factor
        self.neighbours *= factor
        for sums in (self.products, self.neighbour_products):
            for name in sums:
                sums[name] *= factor
        for pairs in (self.shares, self.neighbour_shares):
            for pair in pairs:
                pairs[pair] *= factor

    def copy(self, factor: float) -> _Moments:
        copied = _Moments()
        copied.__dict__.update(self.__dict__)
        for name in ("products", "shares", "neighbour_products", "neighbour_shares"):
            setattr(copied, name, getattr(self, name).copy())
        copied.scale(factor)
        return copied


class Fit:
    """The factors of all parts with their uncertainty, and the noise of a single training; relative to `speed`."""

    def __init__(self, moments: _Moments) -> None:
        self.speed = moments.seconds / moments.cost if moments.seconds > 0 else 1.0
        self.evidence = moments.count
        self._names = sorted(moments.products)
        self._place = {name: place for place, name in enumerate(self._names)}
        self.noise, self.drift = _NOISE, _DRIFT
        # The noise decides how much the data count, and the data how large the noise is: twice is enough.
        for _ in range(2):
            self._solve(moments)
            self._measure_noise(moments)

    def _solve(self, moments: _Moments) -> None:
        names, count = self._names, len(self._names)
        alone = 1 / _PART_DEVIATION**2
        # Inverse of deviation² I + speed deviation² 1 1' (Sherman and Morrison).
        common = alone * _SPEED_DEVIATION**2 / (_PART_DEVIATION**2 + count * _SPEED_DEVIATION**2)
        trust = 1 / self.noise**2
        precision = [
            [
                (alone if one == other else 0.0) - common + trust * moments.shares.get((one, other), 0.0)
                for other in names
            ]
            for one in names
        ]
        prior = alone - count * common
        right = [prior + trust * moments.products[name] / self.speed for name in names]
        self._lower = _cholesky(precision)
        self._factors = _solved(self._lower, right)

    def _measure_noise(self, moments: _Moments) -> None:
        factors = dict(zip(self._names, self._factors, strict=True))
        speed = self.speed

        def quadratic(pairs: dict[tuple[str, str], float]) -> float:
            return sum(value * factors[one] * factors[other] for (one, other), value in pairs.items())

        def linear(products: dict[str, float]) -> float:
            return sum(value * factors[name] for name, value in products.items()) / speed

        squares = moments.ratios / speed**2 - 2 * linear(moments.products) + quadratic(moments.shares)
        products = (
            moments.neighbour_ratios / speed**2
            - linear(moments.neighbour_products)
            + quadratic(moments.neighbour_shares)
        )
        believed = _BELIEF * _DRIFT**2
        self.drift = math.sqrt((believed + max(0.0, products)) / (_BELIEF + moments.neighbours))
        believed = _BELIEF * _NOISE**2
        alone = max(0.0, squares - max(0.0, products))
        self.noise = math.sqrt((believed + alone) / (_BELIEF + moments.count))

    def seconds(self, parts: Parts) -> float:
        """How long a training of this cost is expected to take."""
        expected = 0.0
        for name, part in parts.items():
            place = self._place.get(name)
            # A part never seen is as slow as the rest.
            factor = 1.0 if place is None else max(0.1, self._factors[place])
            expected += factor * part
        return self.speed * expected

    def deviation(self, parts: Parts, squares: float) -> float:
        """The standard deviation of the seconds of many trainings together, relative to what is expected.

        `parts`: their costs, added up; `squares`: the sum of the squares of each one's cost.
        """
        expected = self.seconds(parts) / self.speed
        if expected <= 0:
            return 0.0
        known = [parts.get(name, 0.0) for name in self._names]
        unseen = sum(part**2 for name, part in parts.items() if name not in self._place)
        halfway = _forward(self._lower, known)
        variance = sum(value * value for value in halfway) + _PART_DEVIATION**2 * unseen
        alone = math.sqrt(variance + self.noise**2 * squares) / expected
        return math.hypot(alone, self.drift)


def _cholesky(matrix: Sequence[Sequence[float]]) -> list[list[float]]:
    """L with L L' = matrix, which is symmetric and positive definite."""
    count = len(matrix)
    lower = [[0.0] * count for _ in range(count)]
    for i in range(count):
        for j in range(i + 1):
            rest = matrix[i][j] - sum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    return lower


def _forward(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with L x = right."""
    solution: list[float] = []
    for i, value in enumerate(right):
        solution.append((value - sum(lower[i][k] * solution[k] for k in range(i))) / lower[i][i])
    return solution


def _solved(lower: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """x with L L' x = right."""
    halfway, count = _forward(lower, right), len(right)
    solution = [0.0] * count
    for i in reversed(range(count)):
        solution[i] = (halfway[i] - sum(lower[k][i] * solution[k] for k in range(i + 1, count))) / lower[i][i]
    return solution
