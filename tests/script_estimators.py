"""An estimator for tests of a script's searches: it counts its fits, and dies, hangs, warns or raises when told to."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Recorded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predicts by the sign of the first column times `factor`; each fit leaves a file in `folder`, if there is one.

    `fault`: what happens in fit where `factor` is `faulty`: "raise", "kill", "hang", "warn", "memory", or "kill once"
    and the like, which leave a mark and do not happen again; "wait" until the file `wait_for` is there. Without a
    fault, every fit waits for that file.
    """

    def __init__(
        self, factor: float = 1.0, folder: str | None = None, fault: str = "", faulty: float = -1.0, wait_for: str = ""
    ) -> None:
        self.factor = factor
        self.folder = folder
        self.fault = fault
        self.faulty = faulty
        self.wait_for = wait_for

    def fit(self, X: Any, y: Any) -> Recorded:
        self.classes_ = np.unique(y)
        if self.folder is not None and len(self.folder) < 4_096:
            number = len(os.listdir(self.folder))
            Path(self.folder, f"{self.factor}-{len(X)}-{np.sum(X):.6f}-{os.getpid()}-{number}.fit").touch()
        if self.factor == self.faulty:
            self._fail()
        if self.wait_for and not self.fault:
            self._wait()
        print(f"fitted {self.factor}")
        return self

    def _fail(self) -> None:
        what, _, once = self.fault.partition(" ")
        if once:
            mark = Path(str(self.folder)) / "happened"
            if mark.exists():
                return
            mark.touch()
        if what == "raise":
            message = "it cannot be fitted"
            raise ValueError(message)
        if what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "wait":
            self._wait()
        if what == "hang":
            threading.Event().wait()
        if what == "warn":
            warnings.warn("something to know", UserWarning, stacklevel=1)
        if what == "memory":
            message = "no room"
            raise MemoryError(message)

    def _wait(self) -> None:
        while not Path(self.wait_for).exists():
            threading.Event().wait(0.01)

    def predict(self, X: Any) -> Any:
        return self.classes_[(np.asarray(X)[:, 0] * self.factor > 0).astype(int)]


def data(rows: int = 60) -> tuple[Any, Any]:
    """Rows whose class is the sign of the first column, nearly."""
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 3))
    return X, (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)


def abandoned_folders() -> list[Path]:
    """Folders in memory, shared by a search with its workers, that no process uses any more."""
    return [folder for folder in Path("/dev/shm").glob("foldwatch-scratch-*") if _is_abandoned(folder)]  # noqa: S108


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / "in-use.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (FileNotFoundError, BlockingIOError):  # it is going, or in use
        return False
    return True


def fits_in(folder: Path) -> list[str]:
    """The fits that left a file, without process and number."""
    return sorted("-".join(path.stem.split("-")[:-2]) for path in folder.glob("*.fit"))
