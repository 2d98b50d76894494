"""Whatever a worker process does, the pool says what became of it, at once, and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.workers import messages
from engine.workers.pool import MessageReceived, Report, WorkerDeath
from engine.workers.process_pool import ProcessPool
from tests import orders
from tests.fakes import FAKE_WORKER, Fault, told
from tests.marks import first_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.usefixtures("surroundings")
DEADLINE_SECONDS = 30.0


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[ProcessPool]:
    made = ProcessPool(tmp_path, FAKE_WORKER)
    yield made
    made.close()


def _until(pool: ProcessPool, enough: Callable[[list[Report]], bool]) -> list[Report]:
    happened: list[Report] = []
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not enough(happened):
        assert time.monotonic() < deadline, happened
        happened += pool.wait(1.0)
    return happened


def _until_said(pool: ProcessPool, kind: type[messages.Message]) -> list[Report]:
    return _until(
        pool,
        lambda happened: any(isinstance(one, MessageReceived) and isinstance(one.message, kind) for one in happened),
    )


def _died(pool: ProcessPool) -> WorkerDeath:
    happened = _until(pool, lambda happened: any(isinstance(one, WorkerDeath) for one in happened))
    return next(one for one in happened if isinstance(one, WorkerDeath))


def _start(pool: ProcessPool, fault: Fault | None = None, number: int = 0) -> int:
    pool.start(number, told(fault) if fault else {})
    _until_said(pool, messages.Ready)
    return pool.facts(number).pid


def _train(pool: ProcessPool, folder: Path, parsed_data: Path, number: int = 0, epochs: int = 3) -> None:
    pool.send(number, orders.prepare(folder, parsed_data))
    pool.send(
        number,
        messages.Train(
            training=5,
            trainer="kernel",
            split=0,
            params={"batch_size": 50, "hidden_units": 8},
            stops=[epochs],
            checkpoint=orders.checkpoint(folder / "kept", "k"),
            key="k",
        ),
    )


def test_a_worker_whose_engine_has_gone_says_nothing_of_it(tmp_path: Path) -> None:
    heard, spoken = os.pipe()
    os.close(heard)
    with (tmp_path / "said").open("wb") as log:
        # Orders may still come, for all it knows: only what it says reaches nobody.
        worker = subprocess.Popen(
            [*FAKE_WORKER, str(spoken)], stdin=subprocess.PIPE, stdout=log, stderr=log, pass_fds=(spoken,)
        )
    os.close(spoken)
    assert worker.wait(DEADLINE_SECONDS) == 0
    assert worker.stdin is not None
    worker.stdin.close()
    assert (tmp_path / "said").read_text() == ""


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _group(leader: int) -> list[psutil.Process]:
    """Processes of a worker's group that live."""
    members = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == leader and not _gone(process.pid):
                members.append(process)
    return members


def test_a_worker_says_what_it_does(pool: ProcessPool, tmp_path: Path, parsed_data: Path) -> None:
    pid = _start(pool)
    _train(pool, tmp_path, parsed_data)
    happened = _until_said(pool, messages.Ended)
    said = [one.message for one in happened if isinstance(one, MessageReceived)]
    assert [type(message).__name__ for message in said] == ["Begun", *["EpochDone"] * 3, "Scored", "Ended"]
    assert pool.workers == [0]
    pool.close()
    assert _gone(pid)
    assert pool.workers == []


@pytest.mark.parametrize(
    ("kind", "code", "name", "reason"),
    first_of(
        [
            ("kill", None, "SIGKILL", ""),
            ("exit", 0, "", ""),
            ("exit with 7", 7, "", ""),
            ("segfault", None, "SIGSEGV", ""),
            ("half a line", None, "SIGKILL", ""),
            ("long line", None, "SIGKILL", "a line of more than 4 MiB"),
            ("bad json", None, "SIGKILL", "no message"),
            ("pickle", None, "SIGKILL", "no message"),
            ("grandchild", None, "SIGKILL", ""),
        ],
        5,
    ),
)
def test_an_end_is_told_for_what_it_is(
    pool: ProcessPool, tmp_path: Path, parsed_data: Path, kind: str, code: int | None, name: str, reason: str
) -> None:
    canary = tmp_path / "canary"
    pid = _start(pool, Fault(kind, epoch=2, path=str(canary)))
    _train(pool, tmp_path, parsed_data)
    died = _died(pool)
    assert (died.worker, died.pid, died.exit_code, died.signal) == (0, pid, code, name)
    assert reason in died.reason
    assert bool(reason) == bool(died.reason)
    assert pool.workers == []
    assert _gone(pid)
    assert not canary.exists()
    psutil.wait_procs(_group(pid), timeout=DEADLINE_SECONDS)
    assert _group(pid) == []
    # Its number is free again.
    _start(pool)


def test_what_was_said_before_the_end_is_heard(pool: ProcessPool, tmp_path: Path, parsed_data: Path) -> None:
    _start(pool, Fault("half a line", epoch=3))
    _train(pool, tmp_path, parsed_data)
    happened = _until(pool, lambda happened: any(isinstance(one, WorkerDeath) for one in happened))
    names = [type(one.message).__name__ for one in happened if isinstance(one, MessageReceived)]
    assert names == ["Begun", "EpochDone", "EpochDone"]
    assert isinstance(happened[-1], WorkerDeath)


def test_a_fault_is_told_as_text_and_the_worker_lives(pool: ProcessPool, tmp_path: Path, parsed_data: Path) -> None:
    pid = _start(pool, Fault("raise", epoch=2))
    _train(pool, tmp_path, parsed_data)
    happened = _until_said(pool, messages.Failed)
    failed = happened[-1]
    assert isinstance(failed, MessageReceived)
    assert isinstance(failed.message, messages.Failed)
    assert failed.message.error == "RuntimeError: a fault that was ordered"
    assert "Traceback" in failed.message.traceback
    assert not failed.message.out_of_memory
    assert not _gone(pid)


def test_a_flood_of_output_goes_to_the_log_and_blocks_nobody(
    pool: ProcessPool, tmp_path: Path, parsed_data: Path
) -> None:
    _start(pool, Fault("flood"))
    _train(pool, tmp_path, parsed_data, epochs=1)
    _until_said(pool, messages.Ended)
    assert (tmp_path / "worker.0.log").stat().st_size > 1_000_000


def test_a_worker_that_ignores_sigterm_ends_with_its_pool(pool: ProcessPool, tmp_path: Path, parsed_data: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    pid = _start(pool, Fault("ignore sigterm"))
    held = _start(pool, Fault("gate", path=str(gate)), number=1)
    _train(pool, tmp_path, parsed_data, epochs=1)
    _until_said(pool, messages.Ended)
    _train(pool, tmp_path, parsed_data, number=1)
    with gate.open("wb"):
        # The second one waits at the gate, in the middle of a training.
        os.kill(pid, signal.SIGTERM)
        assert not _gone(pid)
        pool.close()
    assert _gone(pid)
    assert _gone(held)


def test_stop_ends_a_worker_with_the_reason(pool: ProcessPool) -> None:
    pid = _start(pool)
    pool.stop(0, "its memory grew")
    died = _died(pool)
    assert (died.reason, died.signal) == ("its memory grew", "SIGKILL")
    assert _gone(pid)


def test_orders_to_one_that_has_just_died_are_no_error(pool: ProcessPool) -> None:
    pid = _start(pool)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    pool.send(0, messages.Hold())
    assert _died(pool).signal == "SIGKILL"
    # What it said last may be answered after its end was seen.
    pool.send(0, messages.Hold())


def test_a_command_that_cannot_be_started_leaks_no_descriptors(tmp_path: Path) -> None:
    pool = ProcessPool(tmp_path, ["/nowhere/at/all"])
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(FileNotFoundError):
        pool.start(0, {})
    assert len(os.listdir("/dev/fd")) == before
    pool.close()


def test_pools_leak_no_descriptors(tmp_path: Path) -> None:
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        pool = ProcessPool(tmp_path, FAKE_WORKER)
        pid = _start(pool)
        os.kill(pid, signal.SIGKILL)
        _died(pool)
        _start(pool)
        pool.close()
    assert len(os.listdir("/dev/fd")) == before


PARENT = """
import sys, time
from pathlib import Path
from engine.workers import messages
from engine.workers.pool import MessageReceived
from engine.workers.process_pool import ProcessPool
from tests.fakes import FAKE_WORKER, Fault

pool = ProcessPool(Path(sys.argv[1]), FAKE_WORKER)
for number in range(2):
    pool.start(number, {})
ready = 0
while ready < 2:
    ready += sum(isinstance(one, MessageReceived) for one in pool.wait(1.0))
print(pool.facts(0).pid, pool.facts(1).pid, flush=True)
sys.stdin.read()
"""


def test_workers_end_by_themselves_when_their_engine_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    parent = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert parent.stdout is not None
    try:
        workers = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        assert len(workers) == 2
        parent.kill()
        _, alive = psutil.wait_procs(workers, timeout=2.0)
        # In a container nobody may reap orphans: a zombie has ended all the same.
        assert [worker for worker in alive if not _gone(worker.pid)] == []
    finally:
        parent.kill()
        parent.communicate()


def test_a_worker_that_cannot_read_an_order_says_so_and_ends(tmp_path: Path) -> None:
    pool = ProcessPool(tmp_path, FAKE_WORKER)
    pool.start(0, {})
    os.write(pool._workers[0].orders, b'{"type":"NoSuchOrder"}\n')
    died: list[WorkerDeath] = []
    while not died:
        died = [one for one in pool.wait(30.0) if isinstance(one, WorkerDeath)]
    pool.close()
    assert (died[0].exit_code, died[0].signal) == (65, "")
    assert "it cannot read an order" in died[0].reason
    assert "it cannot read an order" in (tmp_path / "worker.0.log").read_text()
