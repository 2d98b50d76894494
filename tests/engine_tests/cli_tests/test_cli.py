"""The command line: standard output is data, standard error is narration, the exit code is the result."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.cli.console import Console, progress_line
from engine.cli.main import main
from engine.session.events import Event, SearchFinished, SearchPaused, SearchStarted, from_json
from engine.session.liveness import Liveness
from engine.session.session import open_session
from engine.session.state import SearchState
from engine.spec.spec import SearchSpec
from tests.fake_command import FakeSearch
from tests.fakes import Fault, fake_search, told
from tests.tui_tests.scripted_search import Script
from tests.tui_tests.small_sessions import make_session

SPEC = """
dataset = "sample"
num_words = 1000
subsample = 300
scoring = ["accuracy", "f1_macro"]
[[space]]
epochs = [2, 5]
hidden_units = [8, 16]
optimizer = ["rmsprop", { name = "sgd", momentum = 0.9 }]
[[space]]
epochs = [3]
learning_rate = { schedule = "ExponentialDecay", initial_learning_rate = 0.1, decay_epochs = 1, decay_rate = 0.8 }
"""


@pytest.fixture
def spec(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec in the current folder, whose searches train in fake workers and are recorded in `surroundings`."""
    monkeypatch.setattr("engine.search.search.Search", FakeSearch)
    monkeypatch.setenv("FOLDWATCH_SESSIONS", str(surroundings))
    path = Path("spec.toml")
    path.write_text(SPEC)
    return path


@pytest.fixture(scope="module")
def complete(parsed_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a session that is complete."""
    sessions = tmp_path_factory.mktemp("complete") / "sessions"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOLDWATCH_CACHE", str(parsed_data))
        list(FakeSearch(SearchSpec.from_toml(SPEC), sessions=sessions, name="done", workers=2).run())
    return sessions / "done"


@pytest.fixture
def searched(spec: Path, surroundings: Path, complete: Path) -> str:
    """The name of a session that is complete, which may be changed."""
    shutil.copytree(complete, surroundings / "done")
    return "done"


def _told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(list(arguments)) == code
    captured = capsys.readouterr()
    for line in captured.out.splitlines():
        if not line.startswith(("{", "[")):
            assert len(line) <= 80, line
    return captured.out, captured.err


def _ranks(out: str) -> list[str]:
    """The first column of a table of results."""
    rows = out[out.index("rank  #") :].splitlines()[1:]
    return [row.split()[0] for row in rows if not row.startswith("     ")]


def test_plan_says_what_a_spec_means_and_runs_nothing(
    spec: Path, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = _told(capsys, "plan", str(spec), "--workers", "2")
    assert err == ""
    assert "combinations  9" in out
    assert "27 = 9 combinations x 3 splits" in out
    assert "69 epochs (unshared: 93)" in out
    assert "synthetic" in out
    out, _ = _told(capsys, "plan", str(spec), "--json", "--set", "folds=4", "--workers", "3")
    planned = json.loads(out)
    assert (planned["fits"], planned["trainings"], planned["workers"]) == (36, 20, 3)
    assert (planned["epochs"], planned["epochs_unshared"]) == (92, 124)
    assert planned["seconds"] > 0
    assert [one["index"] for one in planned["combinations"]] == list(range(9))
    assert planned["combinations"][8]["params"]["learning_rate__decay_rate"] == 0.8
    assert not surroundings.exists()


def test_run_tells_on_stderr_and_ends_with_a_table_on_stdout(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = _told(capsys, "run", str(spec), "--workers", "2")
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["rank", "#", "accuracy"]
    assert _ranks(out) == [str(rank) for rank in range(1, 10)]
    assert "search started: sample (synthetic), 300 rows" in err
    assert "best so far" in err
    assert "search completed" in err
    assert "recorded as sample-01" in err


def test_run_json_prints_every_event_and_nothing_else(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = _told(capsys, "run", str(spec), "--json")
    happened = [from_json(line) for line in out.splitlines()]
    assert isinstance(happened[0], SearchStarted)
    assert isinstance(happened[-1], SearchFinished)
    assert {json.loads(line)["type"] for line in out.splitlines()} >= {"EpochEnded", "FitScored", "WorkerStarted"}


def test_set_changes_a_spec(spec: Path, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    space = "space={epochs=[1], hidden_units=[8, 16, 24]}"
    _told(capsys, "run", str(spec), "--name", "a", "--set", space, "--set", "scoring=accuracy")
    record = open_session("a", surroundings).record
    assert record.spec["space"] == {"epochs": [1], "hidden_units": [8, 16, 24]}
    assert record.spec["scoring"] == ["accuracy"]


@pytest.mark.slow
def test_a_name_is_taken_once_and_resume_is_named(
    searched: str, spec: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = _told(capsys, "run", str(spec), "--name", searched, code=2)
    assert out == ""
    assert "continue it with: foldwatch resume done" in err
    out, err = _told(capsys, "resume", searched)
    assert out == ""
    assert "done is complete: nothing is left to run; its results: foldwatch show done" in err


@pytest.mark.slow
def test_list(searched: str, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (surroundings / "broken").mkdir()
    out, err = _told(capsys, "list")
    assert err == ""
    assert out.splitlines()[0].split()[:4] == ["session", "state", "fits", "best"]
    assert "done" in out.splitlines()[1]
    assert "27/27" in out.splitlines()[1]
    assert "unreadable" in out
    out, _ = _told(capsys, "list", "--json")
    listed = {one["id"]: one for one in json.loads(out)}
    assert listed["done"]["status"] == "completed"
    assert (listed["done"]["fits_finished"], listed["done"]["fits_failed"]) == (27, 0)
    assert listed["broken"]["problem"]
    out, err = _told(capsys, "list", "--sessions", "nowhere")
    assert out == ""
    assert "no sessions in" in err


def test_show(searched: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = _told(capsys, "show", searched)
    assert err == ""
    for piece in ("session", "completed", "sample (synthetic), 300 rows", "27 of 27, 0 failed", "rank"):
        assert piece in out
    assert len(_ranks(out)) == 9
    out, _ = _told(capsys, "show", searched, "--most", "2")
    assert "and 7 more" in out


def test_show_json_has_the_documented_keys(searched: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = _told(capsys, "show", searched, "--json")
    shown: dict[str, Any] = json.loads(out)
    assert {"session", "state", "dataset", "combinations", "best", "seconds"} <= set(shown)
    assert (shown["session"], shown["state"], shown["dataset"]) == ("done", "completed", "sample")
    keys = {"index", "params", "scores", "mean", "std", "rank", "seconds", "status", "trainer"}
    for combination in shown["combinations"]:
        assert keys <= set(combination)
        assert [len(scores) for scores in combination["scores"].values()] == [3, 3]
        assert combination["status"] == "complete"
        for metric, scores in combination["scores"].items():
            assert combination["metrics"][metric]["mean"] == pytest.approx(sum(scores) / 3)
    best = shown["best"]
    assert best["rank"] == 1
    assert best["mean"] == max(combination["mean"] for combination in shown["combinations"])
    assert shown["combinations"][best["index"]] == best
    assert _told(capsys, "export", searched, "--format", "json")[0] == out


def test_export_csv(searched: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", searched]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 9
    assert rows[0]["combination"] == "0"
    assert {"param_epochs", "param_optimizer__momentum", "mean_test_accuracy", "rank_test_f1_macro"} <= set(rows[0])
    assert rows[0]["param_optimizer__momentum"] == ""
    assert {row["status"] for row in rows} == {"complete"}
    _, err = _told(capsys, "export", searched, "--format", "xml", code=2)
    assert err == "foldwatch: --format: 'xml' is not accepted; accepted: csv, json\n"


def test_export_writes_a_whole_file_or_leaves_what_is_there(
    searched: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("csv", "json"):
        assert main(["export", searched, "--format", kind]) == 0
        printed = capsys.readouterr().out
        to = tmp_path / f"out.{kind}"
        assert _told(capsys, "export", searched, "--to", str(to)) == ("", f"the results are in {to}\n")
        assert to.read_text() == printed
    kept = tmp_path / "out.csv"
    kept.write_text("the user's")
    for arguments in ([searched, "--format", "xml"], ["no-such-session"]):
        assert main(["export", *arguments, "--to", str(kept)]) == 2
    assert kept.read_text() == "the user's"
    assert sorted(tmp_path.glob(".*")) == []
    capsys.readouterr()
    _, err = _told(capsys, "export", searched, "--to", str(tmp_path / "out.xlsx"), code=2)
    assert err == "foldwatch: --format: 'xlsx' is not accepted; accepted: csv, json\n"


@pytest.mark.parametrize(("kind", "code"), [("nan", 0), ("raise", 3), ("exit", 1)])
def test_the_exit_code_tells_how_fits_ended(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str, code: int
) -> None:
    for name, value in told(Fault(kind, units=8 if kind != "exit" else 0)).items():
        monkeypatch.setenv(name, value)
    space = "space={epochs=[1, 2], hidden_units=[8, 16, 24]}"
    _, err = _told(capsys, "run", str(spec), "--set", space, "--set", "scoring=accuracy", code=code)
    assert ("foldwatch logs" in err) == (kind == "exit")
    assert ("diverged" in err) == (kind == "nan")


@pytest.mark.slow
def test_logs_tell_the_story_and_the_tracebacks(
    spec: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told(Fault("raise", epoch=3, units=16)).items():
        monkeypatch.setenv(name, value)
    _, err = _told(capsys, "run", str(spec), "--name", "failing", code=3)
    assert "failed: RuntimeError: a fault that was ordered" in err
    assert main(["logs", "failing"]) == 0
    out = capsys.readouterr().out
    for piece in ("search started", "fold 0 failed", "Traceback", "fakes.py", "search completed"):
        assert piece in out
    out, _ = _told(capsys, "show", "failing")
    assert "6 failed" in out
    assert "failed: RuntimeError: a fault that was ordered" in out
    shown = json.loads(_told(capsys, "show", "failing", "--json")[0])
    failed = [combination for combination in shown["combinations"] if combination["status"] == "failed"]
    assert len(failed) == 2
    assert set(failed[0]["errors"]) == {"0", "1", "2"}
    assert failed[0]["mean"] is None


def test_delete(searched: str, surroundings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, err = _told(capsys, "delete", searched, code=2)
    assert "--yes" in err
    assert (surroundings / searched).is_dir()
    _told(capsys, "delete", searched, "--yes")
    assert list(surroundings.iterdir()) == []
    _, err = _told(capsys, "show", searched, code=2)
    assert err.startswith("foldwatch: no session 'done'")


@pytest.mark.parametrize("command", [["pause"], ["stop"], ["skip", "--combination", "0"]])
def test_requests_to_nobody_are_refused(searched: str, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out, err = _told(capsys, command[0], searched, *command[1:], code=2)
    assert out == ""
    assert "no engine works on this session" in err
    assert "the search is complete" in err
    assert err.count("\n") == 1


def test_retry_without_an_engine_names_the_command_that_starts_one(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_session(surroundings, "half", Script().half_way())
    _, err = _told(
        capsys, "retry", "half", "--combination", "13", "--combination", "15", "--sessions", str(surroundings), code=2
    )
    assert "no engine works on this session" in err
    assert "foldwatch resume half --retry 13 --retry 15" in err


def test_unreadable_sessions_have_an_exit_code_of_their_own(
    searched: str, surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (surroundings / searched / "search.json").write_text("{}")
    for command in ("show", "logs", "export", "resume"):
        out, err = _told(capsys, command, searched, code=65)
        assert out == ""
        assert "search.json" in err


def test_a_folder_that_cannot_be_made(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("")
    _, err = _told(capsys, "run", str(spec), "--sessions", "file/sessions", code=73)
    assert "cannot create the session" in err
    assert "Traceback" not in err


def test_save_refuses_what_it_cannot_save(searched: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, said, code in (
        (["--to", "best.h5"], ".keras", 2),
        (["--to", "nowhere/best.keras"], "no folder", 73),
        (["--to", "best.keras", "--combination", "99"], "accepted: 0 to 8", 2),
    ):
        out, err = _told(capsys, "save", searched, *arguments, code=code)
        assert out == ""
        assert said in err
    assert not list(Path().glob("best*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device here")
def test_output_that_cannot_be_written_is_said_in_a_line(searched: str, surroundings: Path) -> None:
    command = [sys.executable, "-m", "engine", "show", searched, "--sessions", str(surroundings)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    said = "foldwatch: standard output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (74, said)


def test_no_file_of_the_users_is_replaced_unasked(searched: str, capsys: pytest.CaptureFixture[str]) -> None:
    for content in ('{"mine": 1}', "not JSON"):
        Path("mine.json").write_text(content)
        _, err = _told(capsys, "save", searched, "--to", "mine.keras", code=2)
        assert "mine.json: is no description of a model" in err
        assert Path("mine.json").read_text() == content
    Path("mine.toml").write_text("# mine")
    _, err = _told(capsys, "zoom", searched, "--to", "mine.toml", code=2)
    assert "is there already; to replace it: --force" in err
    assert Path("mine.toml").read_text() == "# mine"
    main(["zoom", searched, "--to", "mine.toml", "--force"])
    assert "[space]" in Path("mine.toml").read_text()


def test_what_is_finished_or_unknown_is_not_skipped(
    searched: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "engine.session.session.liveness", lambda folder, opened: Liveness(alive=True, owner="somebody")
    )
    for number, said in (("99", "accepted: 0 to 8"), ("0", "combination 0 is complete; there is nothing to skip")):
        _, err = _told(capsys, "skip", searched, "--combination", number, code=2)
        assert said in err


@pytest.mark.slow
@pytest.mark.keras
def test_an_engine_that_is_at_work_is_asked_to_save(
    spec: Path, surroundings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    (tmp_path / "marks").mkdir()
    fault = Fault("gate", units=16, times=1, marks=str(tmp_path / "marks"), path=str(gate))
    for name, value in told(fault).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {"epochs": 1, "hidden_units": [8, 16]}, name="a", fresh=True)
    subscriber = search.subscribe()
    search.start()
    while search.state.best is None:
        assert subscriber.get(timeout=60) is not None
    # The engine's answer is the command's: what only pretends to be trained has no weights to be saved, which is a
    # fault of its trainer and not of whoever asked.
    assert main(["save", "a", "--to", "best.keras"]) == 1
    err = capsys.readouterr().err
    assert "a: asked its engine to save combination 0" in err
    assert "combination 0 is refitted on all training rows" in err
    assert not list(Path().glob("best*"))
    search.interrupt()
    search.wait()


@pytest.mark.slow
def test_notify_runs_a_command_with_the_outcome(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Path("tell").absolute()
    script.write_text('#!/bin/sh\necho "$FOLDWATCH_SESSION $FOLDWATCH_OUTCOME" > told\n')
    script.chmod(0o700)
    _told(capsys, "run", str(spec), "--name", "a", "--set", "space={epochs=1}", "--notify", str(script))
    assert Path("told").read_text() == "a completed\n"
    _, err = _told(capsys, "run", str(spec), "--name", "b", "--set", "space={epochs=1}", "--notify", "/nowhere/tell")
    assert "--notify" in err


def test_what_notify_prints_is_no_part_of_the_data(spec: Path, capfd: pytest.CaptureFixture[str]) -> None:
    command = "echo somebody was told"
    assert main(["run", str(spec), "--set", "space={epochs=1}", "--json", "--notify", command]) == 0
    out, err = capfd.readouterr()
    assert "somebody was told" in err
    assert all(line.startswith("{") for line in out.splitlines())


@pytest.mark.parametrize(
    "option",
    [
        ["--workers", "1"],
        ["--devices", "cpu"],
        ["--notify", "true"],
        ["--time-limit", "9"],
        ["--accept-versions"],
        ["--json"],
    ],
    ids=" ".join,
)
def test_a_paused_engine_goes_on_as_it_was_started(
    option: list[str],
    searched: str,
    surroundings: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paused = SearchPaused(time=0.0)
    state = open_session(searched, surroundings).state
    monkeypatch.setattr("engine.session.session.liveness", lambda *_, **__: Liveness(alive=True, owner="somebody"))
    monkeypatch.setattr("engine.session.session.Session.state", lambda self: _with(state(), paused))
    _, err = _told(capsys, "resume", searched, *option, code=2)
    assert option[0] in err
    assert not list((surroundings / searched / "control").iterdir())


def _with(state: SearchState, event: Event) -> SearchState:
    state.apply(event)
    return state


def test_the_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    from engine import __version__

    out, _ = _told(capsys, "--version")
    assert out == f"{__version__}\n"
    assert main([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Usage" in captured.err


def test_doctor_names_data_and_machine(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["data: sample"] == "built in"
    assert found["CPUs allowed"].isdigit()
    assert found["keras"]


class _Terminal(io.StringIO):
    """A terminal, or one that has gone."""

    gone = False

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if self.gone:
            raise OSError(5, "Input/output error")
        return super().write(text)


def test_a_terminal_shows_one_live_line_and_may_go(searched: str, surroundings: Path) -> None:
    state = open_session(searched, surroundings).state()
    terminal = _Terminal()
    console = Console(terminal)
    console.draw(state)
    assert "27/27 fits, 100%" in terminal.getvalue()
    assert len(progress_line(state, 0.0)) < 80
    console.say("a line with \x1b[31m in it")
    assert "\x1b[31m" not in terminal.getvalue()
    assert terminal.getvalue().endswith("␛[31m in it\n")
    terminal.gone = True
    console.say("nobody reads this")
    console.draw(state)
    console.finish()
