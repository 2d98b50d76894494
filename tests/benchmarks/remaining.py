"""How often the interval of the remaining time holds: real searches, asked at 25, 50 and 75 % of their fits.

python -m tests.benchmarks.remaining [--data reuters] [--data-dir D] [--searches 30] [--seed 0] [--sessions D]

The searches are drawn by the seed, run once into the folder of `--sessions` (a temporary one without it) and replayed
from their journals by the times of their events. A folder that holds sessions already is only evaluated.
"""

from __future__ import annotations

import argparse
import math
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.analysis.forecast.remaining import remaining_seconds
from engine.errors import SpecError
from engine.plan.plan import Plan, make_plan
from engine.search.search import Search
from engine.session.events import FitScored
from engine.session.listing import list_names
from engine.session.session import Session, open_session
from engine.session.state import SearchState
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.benchmarks.measuring import at_hand, median_of, report

_KERAS_EVERY = 15
_LEAST_FITS = 12
_SHARES = (0.25, 0.5, 0.75)
_SECONDS = (3.0, 10.0)  # planned, on all workers

_AXES: dict[str, list[Any]] = {
    "epochs": [2, 4, 8, 12, 20, 30],
    "batch_size": [32, 64, 128, 256, 512],
    "hidden_units": [16, 32, 64, 128, 256],
    "hidden_layers": [1, 2, 3],
    "optimizer": ["rmsprop", "adam", "sgd", "adamw", "nadam", {"name": "sgd", "momentum": 0.9}],
    "dropout": [0.0, 0.3, 0.5],
    "activation": ["relu", "tanh", "elu"],
    "learning_rate": [0.0005, 0.001, 0.002],
}


def drawn_spec(generator: random.Random, data: str, *, trainer: str) -> tuple[dict[str, Any], int]:
    """A spec of a search that is planned to take some seconds, and its number of workers."""
    while True:
        names = generator.sample(sorted(_AXES), generator.randint(2, 4))
        space = {name: generator.sample(_AXES[name], generator.randint(1, 3)) for name in sorted({*names, "epochs"})}
        workers = generator.choice([1, 2])
        spec = {
            "dataset": data,
            "num_words": generator.choice([1000, 2000, 5000, 10_000]),
            "subsample": generator.choice([0.1, 0.25, 0.5, 1.0]),
            "folds": generator.choice([2, 3, 5]),
            "scoring": generator.choice([["accuracy"], ["accuracy", "f1_macro"]]),
            "seed": generator.randrange(1000),
            "trainer": trainer,
            "space": space,
        }
        try:
            plan = _plan(spec)
        except SpecError:
            continue
        least, most = _SECONDS
        if plan.fits >= _LEAST_FITS and least <= plan.cost / workers <= most:
            return spec, workers


def _plan(spec: dict[str, Any]) -> Plan:
    read = SearchSpec.from_values(spec)
    return make_plan(read, combinations_of(read))


def record(folder: Path, data: str, data_dir: Path | None, *, searches: int, seed: int) -> None:
    """Run so many searches into the folder."""
    generator = random.Random(seed)
    for number in range(searches):
        trainer = "keras" if number % _KERAS_EVERY == _KERAS_EVERY - 1 else "auto"
        spec, workers = drawn_spec(generator, data, trainer=trainer)
        search = Search(**spec, workers=workers, sessions=folder, data_dir=data_dir, fresh=True)
        for _ in search.run():
            pass
        print(f"{number + 1}/{searches}: {search.state.fits_finished} fits in {search.state.elapsed():.1f} s")


@dataclass(frozen=True)
class Asked:
    """What the model said when so much of the fits was done, and what was true, in seconds; None: it said nothing."""

    session: str
    share: float
    said: tuple[float, float] | None
    truth: float

    @property
    def holds(self) -> bool:
        """Whether the truth lies in the interval."""
        return self.said is not None and self.said[0] <= self.truth <= self.said[1]

    @property
    def width(self) -> float:
        """Of the interval, relative to the truth."""
        return (self.said[1] - self.said[0]) / self.truth if self.said else math.nan

    @property
    def error(self) -> float:
        """Of the interval's geometric middle, relative to the truth."""
        return abs(math.sqrt(self.said[0] * self.said[1]) / self.truth - 1) if self.said else math.nan


def replay(session: Session) -> list[Asked]:
    """Ask at each share of the fits, at the time when it was reached."""
    happened = sorted(session.follow().poll(), key=lambda event: event.time)
    end = max(event.time for event in happened if isinstance(event, FitScored))
    state, asked = SearchState(), list[Asked]()
    for event in happened:
        state.apply(event)
        if state.fits_total and len(asked) < len(_SHARES):
            share = _SHARES[len(asked)]
            if state.fits_finished >= share * state.fits_total:
                asked.append(Asked(session.id, share, remaining_seconds(state, event.time), end - event.time))
    return asked


def print_report(asked: list[Asked]) -> None:
    """How often the interval held, how wide it was, how far its middle was off."""
    rows = []
    for share in (*_SHARES, None):
        these = [one for one in asked if share is None or one.share == share]
        said = [one for one in these if one.said is not None]
        rows.append(
            [
                "all" if share is None else f"{share:.0%}",
                len(these),
                f"{sum(one.holds for one in said) / max(1, len(said)):.0%}",
                median_of([one.width for one in said]),
                median_of([one.error for one in said]),
            ]
        )
    silent = sum(one.said is None for one in asked)
    head = ["fits done", "asked", "held", "relative width", "relative error"]
    report("remaining time: the 80 % interval; medians", head, rows, {"silent": silent})


def main() -> None:
    """Record, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("reuters", "imdb", "sample"), default="reuters")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--searches", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sessions", type=Path)
    options = parser.parse_args()
    name = options.data if at_hand(options.data, options.data_dir) else "sample"
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.sessions or Path(temporary)
        if not list_names(folder):
            record(folder, name, options.data_dir, searches=options.searches, seed=options.seed)
        print_report([one for session in sorted(list_names(folder)) for one in replay(open_session(session, folder))])


if __name__ == "__main__":
    main()
