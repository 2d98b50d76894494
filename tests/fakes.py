"""A trainer that only pretends to train, in no time and always alike, with faults to order; and how to search with it.

Scores come from NumPy, from what decides a real training's: seed, network, optimizer, batch size and rates so far. A
fault is told to worker processes through an environment variable, and can be limited to some networks and times.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.spec.early_stopping import Patience
from engine.training.checkpoint_file import CURVE_COLUMNS, KeptTraining
from engine.training.interface import Checkpoint, Epoch, TrainingRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from engine.data.rows import Rows
    from engine.search.search import Search
    from engine.session.record import SearchRecord
    from engine.session.session import Session
    from engine.training.interface import Keeper

FAULT_VARIABLE = "FOLDWATCH_TEST_FAULT"
KEEP_VARIABLE = "FOLDWATCH_TEST_KEEP"  # seconds between two checkpoints of a training
FAKE_WORKER = (sys.executable, "-P", str(Path(__file__).with_name("fake_worker.py")))
REAL_WORKER = (*FAKE_WORKER, "--real")
SMALL: dict[str, Any] = {"dataset": "sample", "num_words": 1000, "subsample": 300}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, after epoch `epoch` - 1 of a training whose hidden layers have `units` neurons (0: any).

    `times`: how often at most, over all processes, counted in the folder `marks`; `path`: a pipe or a file that the
    fault needs.
    """

    kind: str
    epoch: int = 1
    units: int = 0
    times: int = 1_000_000
    marks: str = ""
    path: str = ""

    def strikes(self, epoch: int, units: tuple[int, ...]) -> bool:
        """Whether it is due now; counts itself."""
        if epoch != self.epoch or (self.units and self.units not in units):
            return False
        for number in range(self.times if self.marks else 1):
            if not self.marks:
                return True
            try:
                os.close(os.open(Path(self.marks) / f"struck-{number}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            except FileExistsError:
                continue
            return True
        return False


def told(*faults: Fault) -> dict[str, str]:
    """The environment that tells worker processes of faults."""
    return {FAULT_VARIABLE: json.dumps([asdict(fault) for fault in faults])}


def faults_told() -> list[Fault]:
    """The faults that this process was told."""
    return [Fault(**values) for values in json.loads(os.environ.get(FAULT_VARIABLE, "[]"))]


def _speech() -> int:
    return int(sys.argv[-1])


def _say(content: bytes) -> None:
    while content:
        content = content[os.write(_speech(), content) :]


def _kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def commit(fault: Fault) -> None:
    """Do what the fault says; some kinds end the process."""
    match fault.kind:
        case "raise":
            message = "a fault that was ordered"
            raise RuntimeError(message)
        case "out of memory":
            raise MemoryError
        case "kill":
            _kill_self()
        case "exit":
            os._exit(0)
        case "exit with 7":
            os._exit(7)
        case "segfault":
            ctypes.string_at(0)
        case "half a line":
            _say(b'{"type":"EpochDone","trai')
            _kill_self()
        case "long line":
            _say(b"x" * (10 << 20))
        case "bad json":
            _say(b'{"type":"EpochDone",,}\n')
        case "pickle":
            # Unpickled, it would make the file: nobody must.
            _say(b"cposix\nsystem\n(S'touch %b'\ntR.\n" % fault.path.encode())
        case "flood":
            os.write(1, b"flood " * (1 << 18))
        case "gate":
            # Until whoever opens the other end closes it, or writes a byte for each that is to pass.
            with Path(fault.path).open("rb", buffering=0) as gate:
                gate.read(1)
        case "ignore sigterm":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        case "grandchild":
            # It inherits the pipe, and outlives its parent.
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], pass_fds=(_speech(),))
            _kill_self()
        case "nan":
            pass
        case _:
            message = f"no such fault: {fault.kind}"
            raise AssertionError(message)


@dataclass
class FakeTrainer:
    """The `Trainer` interface without the work."""

    name: str = "fake"
    faults: list[Fault] = field(default_factory=faults_told)

    def refusal(self, request: TrainingRequest) -> str | None:
        return None

    def warm_up(self, request: TrainingRequest) -> None:
        pass

    def exact_probabilities(
        self, request: TrainingRequest, weights: Sequence[NDArray[np.float32]], rows: Rows
    ) -> NDArray[np.float32]:
        return np.full((len(rows), rows.classes), 1 / rows.classes, np.float32)

    def train(
        self,
        request: TrainingRequest,
        training_rows: Rows,
        validation_rows: Rows | None,
        start: Checkpoint | None = None,
        keeper: Keeper | None = None,
    ) -> Iterator[Epoch]:
        assert validation_rows is not None
        steps = -(-len(training_rows) // request.batch_size)
        for number in range(start.epoch + 1 if start else 1, request.epochs + 1):
            struck = [fault for fault in self.faults if fault.strikes(number, request.network.hidden_units)]
            for fault in struck:
                commit(fault)
            rates = request.learning_rates[: number * steps]
            generator = np.random.default_rng(_key(request, rates))
            loss = float(generator.uniform(0.5, 1.5)) / number
            yield Epoch(
                number=number,
                loss=float("nan") if any(fault.kind == "nan" for fault in struck) else loss,
                validation_loss=loss * 1.1,
                probabilities=_probabilities(generator, validation_rows, number),
                learning_rate=float(rates[-1]),
                weights=list,
                checkpoint=functools.partial(Checkpoint, number, {}),
            )


def _key(request: TrainingRequest, rates: NDArray[np.float32]) -> int:
    network = request.network
    said = [request.seed, network.hidden_units, network.activation, network.dropout, network.l2, request.batch_size]
    said += [request.optimizer, sorted(request.optimizer_arguments.items())]
    digest = hashlib.sha256(repr(said).encode() + rates.tobytes()).digest()
    return int.from_bytes(digest[:8], "little")


def _probabilities(generator: np.random.Generator, validation: Rows, epoch: int) -> NDArray[np.float32]:
    """Chance, with the right class favoured more after more epochs."""
    probabilities = generator.random((len(validation), validation.classes))
    probabilities[np.arange(len(validation)), validation.labels] += generator.uniform(0.2, 0.5) * (1 + epoch / 20)
    shares: NDArray[np.float32] = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def fake_search(sessions: Path, space: dict[str, Any] | list[dict[str, Any]], **options: Any) -> Search:
    """A search of the sample in fake workers."""
    from engine.search.search import Search

    values = {**SMALL, "workers": 2, "worker_command": FAKE_WORKER, **options}
    return Search(sessions=sessions, space=space, **values)


def made_session(sessions: Path, record: SearchRecord, folds: NDArray[np.int16] | None) -> Session:
    """A session's folder with its record and folds, and nothing that happened."""
    from engine.session.draft import SessionDraft

    draft = SessionDraft(sessions, record.id)
    try:
        return draft.finish(record, folds)
    except BaseException:
        draft.discard()
        raise


def same_results(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two `cv_results_` are equal to the last bit, times aside."""
    if list(one) != list(other) or one["params"] != other["params"]:
        return False
    names = [name for name in one if not name.endswith("_time") and name != "params"]
    return all(np.ma.allequal(one[name], other[name]) if name.startswith("param_") else
               one[name].tobytes() == other[name].tobytes() for name in names)  # fmt: skip


def kept(checkpoint: Checkpoint, seconds: float = 0.0, patience: Patience | None = None) -> KeptTraining:
    """A checkpoint as a worker keeps it; of its curve, epochs of zeros."""
    return KeptTraining(checkpoint, seconds, patience or Patience(), np.zeros((checkpoint.epoch, CURVE_COLUMNS)))


@dataclass
class Collector:
    """A `Keeper` that takes a checkpoint from within an epoch after every so many steps."""

    every: int = 1
    taken: list[Checkpoint] = field(default_factory=list)
    asked: int = 0

    def is_due(self) -> bool:
        self.asked += 1
        return self.asked % self.every == 0

    def keep(self, checkpoint: Checkpoint) -> None:
        self.taken.append(checkpoint)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
