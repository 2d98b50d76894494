"""A kill while a model is saved leaves the older model whole or the new one, and what else it leaves is removed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from engine.search.search import Search
from engine.session.events import RefitEpochEnded
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import this_process
from engine.system.process_marks import new_mark
from tests.fakes import FAKE_WORKER, fake_search

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.keras
def test_killed_at_every_file_operation_of_saving(surroundings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).with_name("saving_forks.py")), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = [json.loads(line) for line in done.stdout.splitlines()]
    ends = [one for one in told if "status" in one]
    operations = {one["operation"] for one in told if "operation" in one}
    assert {"rename best.keras", "rename best.json"} <= operations
    assert (ends[-1]["killed"], ends[-1]["status"]) == (False, 0)
    assert len(ends) > 6
    for end in ends:
        assert end["older"] != end["whole"]
        assert end["remaining"] == ["best.json", "best.keras"]
        # Whole itself, and of the model beside it unless the kill came between the two.
        assert end["record"].get("session") == "before" or end["record"]["model"]["sha256"] == end["sha256"]
    assert any(end["left"] for end in ends)
    assert {end["older"] for end in ends} == {True, False}


def _dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_the_next_engine_removes_what_a_killed_one_left_of_a_model(surroundings: Path, tmp_path: Path) -> None:
    list(fake_search(surroundings, {"epochs": 1}, name="a").run())
    path = tmp_path / "best.keras"
    writer = JournalWriter(surroundings / "a", msgspec.structs.replace(this_process(), pid=_dead()))
    writer.append(RefitEpochEnded(time=1.0, combination=0, epoch=1, epochs=1, loss=0.5, path=str(path)))
    writer.sync()
    writer.close()
    left = tmp_path / f".foldwatch-{new_mark().partition('.')[0]}.{_dead()}.ff.tmp"
    left.mkdir()
    (left / "model.keras").write_text("half a model")
    list(Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER).run())
    assert not left.exists()
