"""Reports the epochs of every `keras.Model.fit` in this process, whoever calls it, by a callback that is added to it.

Keras is not imported for this: `fit` is wrapped as soon as somebody imports it.
"""

from __future__ import annotations

import functools
import importlib.abc
import importlib.machinery
import inspect
import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

_MODULE = "keras.src.models.model"  # where `keras.Model` is defined
_MOST_PLANNED = 500  # epochs whose planned rate is worked out: each costs a call of the schedule


@dataclass(frozen=True)
class WatchedEpoch:
    """An epoch that ended, counted from 1 of `epochs`, of `steps` batches; None for what is not finite or not known.

    `learning_rate`: of its last step. `planned_rates`: what the optimizer's schedule gives at the last step of each
    epoch, with the first epoch only, and only where it has a schedule.
    """

    number: int
    epochs: int
    steps: int
    loss: float | None
    validation_loss: float | None
    validation_score: float | None
    learning_rate: float
    planned_rates: tuple[float, ...] = ()


class EpochCounter:
    """Counts the epochs of several trainings that follow one another, as those of one.

    Example: after a training of 3 epochs the first of the next, of 2, is (4, 5).
    """

    def __init__(self) -> None:
        self._before = 0
        self._last = 0

    def place_of(self, epoch: WatchedEpoch) -> tuple[int, int]:
        """Its number, and of how many, all trainings so far together."""
        if epoch.number <= self._last:  # another training began
            self._before += self._last
        self._last = epoch.number
        return self._before + epoch.number, self._before + max(epoch.epochs, epoch.number)


def watch_keras(on_epoch: Callable[[WatchedEpoch], None]) -> Callable[[], None]:
    """Call `on_epoch` at the end of every epoch from now on; until the function that this returns is called."""
    watcher = _Watcher(on_epoch)
    if _MODULE in sys.modules:
        watcher.wrap(sys.modules[_MODULE])
    else:
        sys.meta_path.insert(0, watcher)
    return watcher.stop


class _Watcher(importlib.abc.MetaPathFinder):
    """Finds no module itself, but wraps `fit` once the module that defines it was found by others."""

    def __init__(self, on_epoch: Callable[[WatchedEpoch], None]) -> None:
        self._on_epoch: Callable[[WatchedEpoch], None] | None = on_epoch

    def stop(self) -> None:
        """Report nothing any more."""
        self._on_epoch = None
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        """The module's own spec, with a loader that wraps `fit` once the module is there."""
        if name != _MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                self.wrap(module)

            spec.loader.exec_module = executed  # type: ignore[method-assign]
        return spec

    def wrap(self, module: ModuleType) -> None:
        """Wrap `fit` where the model's class finds it: in its trainer."""
        owner = next(kind for kind in module.Model.__mro__ if "fit" in vars(kind))
        fit = owner.fit
        # `self` is none of the arguments that are counted.
        place = list(inspect.signature(fit).parameters).index("callbacks") - 1

        @functools.wraps(fit)
        def watched(model: Any, *arguments: Any, **keywords: Any) -> Any:
            if self._on_epoch is None:
                return fit(model, *arguments, **keywords)
            reporter = _reporter(self._on_epoch)
            if len(arguments) > place:
                callbacks = _with(arguments[place], reporter)
                return fit(model, *arguments[:place], callbacks, *arguments[place + 1 :], **keywords)
            keywords["callbacks"] = _with(keywords.get("callbacks"), reporter)
            return fit(model, *arguments, **keywords)

        owner.fit = watched


def _with(callbacks: Any, reporter: Any) -> Any:
    """The callbacks of a call and one more; a list of Keras' own kind takes it itself."""
    if callbacks is None:
        return [reporter]
    if isinstance(callbacks, list | tuple):
        return [*callbacks, reporter]
    if hasattr(callbacks, "append"):
        callbacks.append(reporter)
        return callbacks
    return [callbacks, reporter]


def _reporter(on_epoch: Callable[[WatchedEpoch], None]) -> Any:
    import keras

    class Reporter(keras.callbacks.Callback):  # type: ignore[misc]
        """Reports each epoch; changes nothing."""

        def __init__(self) -> None:
            super().__init__()
            self._first_step: int | None = None
            self._has_planned = False

        def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            self._first_step = _steps_so_far(self.model)

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            values = logs or {}
            metric = next((name for name in values if name.startswith("val_") and name != "val_loss"), "")
            last = _steps_so_far(self.model)
            steps = int(self.params.get("steps") or 0) or last - (self._first_step or 0)
            epochs = int(self.params.get("epochs") or 0)
            planned = () if self._has_planned else _planned_rates(self.model, last, steps, epoch, epochs)
            self._has_planned = True
            on_epoch(
                WatchedEpoch(
                    number=epoch + 1,
                    epochs=epochs,
                    steps=max(0, steps),
                    loss=_number(values.get("loss")),
                    validation_loss=_number(values.get("val_loss")),
                    validation_score=_number(values.get(metric)),
                    learning_rate=_used_rate(self.model, last),
                    planned_rates=planned,
                )
            )

    return Reporter()


def _steps_so_far(model: Any) -> int:
    iterations = getattr(getattr(model, "optimizer", None), "iterations", None)
    return int(iterations) if iterations is not None else 0


def _schedule_of(model: Any) -> Any:
    """The optimizer's learning rate schedule; None where it has none."""
    import keras

    rate = getattr(getattr(model, "optimizer", None), "_learning_rate", None)
    return rate if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else None


def _used_rate(model: Any, steps: int) -> float:
    """Of the last of so many steps; a schedule's optimizer stands at the step after it."""
    schedule = _schedule_of(model)
    rate = (
        schedule(steps - 1) if schedule is not None else getattr(getattr(model, "optimizer", None), "learning_rate", 0)
    )
    return _number(rate) or 0.0


def _planned_rates(model: Any, last: int, steps: int, epoch: int, epochs: int) -> tuple[float, ...]:
    """What the schedule gives at the last step of each epoch, seen from the end of an epoch at step `last`."""
    schedule = _schedule_of(model)
    if schedule is None or not steps or not 0 < epochs <= _MOST_PLANNED:
        return ()
    first = last - steps * (epoch + 1)
    rates = [_number(schedule(first + steps * (number + 1) - 1)) for number in range(epochs)]
    return tuple(rate for rate in rates if rate is not None) if None not in rates else ()


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None
