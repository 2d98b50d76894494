"""Searches of a user's own model, in real workers with real Keras: recorded, resumed, saved, never run if changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.cli.main import main
from engine.errors import UsageError
from engine.search.search import Search
from engine.session.events import EpochEnded
from engine.session.record import FORMAT, DataRecord, SearchRecord
from engine.session.session import open_session
from engine.spec.spec import SearchSpec
from tests.fakes import SMALL, made_session, same_results
from tests.own_models import write_models

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.keras

SPACE: dict[str, Any] = {
    "units": [3, 6],
    "dropout": [0.2],
    "epochs": [1, 3],
    "batch_size": [32],
    "optimizer": ["adam"],
    "learning_rate": [0.01],
}


def spec_of(folder: Path, space: dict[str, Any] = SPACE, **more: Any) -> SearchSpec:
    values = {**SMALL, "model": "models.py:build", "space": space, "folds": 2, **more}
    return SearchSpec.from_values(values, folder)


def searched(spec: SearchSpec, sessions: Path, name: str, **options: Any) -> Search:
    return Search(spec, sessions=sessions, name=name, **{"workers": 1, "fresh": True, **options})


def test_a_mistake_in_the_code_is_told_once_and_leaves_no_session(
    surroundings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_models(tmp_path)
    (folder / "spec.toml").write_text(
        'dataset = "sample"\nnum_words = 1000\nsubsample = 300\nmodel = "models.py:fails"\n[space]\nunits = [3, 6]\n'
    )
    assert main(["run", str(folder / "spec.toml"), "--sessions", str(surroundings), "--workers", "1"]) == 2
    said = capsys.readouterr().err
    assert said.count("RuntimeError: no network today") == 2  # in the message, and in the traceback's last line
    assert f"{folder / 'models.py'}, line 46, in fails" in said
    assert not surroundings.exists() or not list(surroundings.iterdir())


@pytest.mark.slow
def test_scores_are_the_same_however_a_search_runs_and_a_changed_file_is_not_run(
    surroundings: Path, tmp_path: Path
) -> None:
    folder = write_models(tmp_path)
    spec = spec_of(folder)
    whole = searched(spec, surroundings, "whole", workers=2)
    whole.start()
    whole.wait()
    code = open_session("whole", surroundings).record.code
    assert sorted(code) == sorted(str((folder / name).resolve()) for name in ("models.py", "layers_beside.py"))

    halted = searched(spec, surroundings, "halted")
    for event in halted.run():
        if isinstance(event, EpochEnded) and event.epoch == 2:
            break
    models = (folder / "models.py").read_text()
    (folder / "models.py").write_text(f"{models}\n# another\n")
    with pytest.raises(UsageError, match=r"models\.py has changed since the search began, and is not run"):
        Search.of_session("halted", sessions=surroundings).start()
    (folder / "models.py").write_text(models)
    again = Search.of_session("halted", sessions=surroundings)
    again.start()
    again.wait()
    assert same_results(again.cv_results_, whole.cv_results_)

    reused = searched(spec, surroundings, "reused", fresh=False)
    reused.start()
    reused.wait()
    assert all(fit.taken_from for one in reused.state.combinations for fit in one.fits)

    saved = tmp_path / "best.keras"
    again.save_best(saved)
    described = json.loads(saved.with_suffix(".json").read_text())
    assert described["model"]["file"] == "best.keras"


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["racing", "halving"])
def test_strategies_decide_between_own_models(surroundings: Path, tmp_path: Path, strategy: str) -> None:
    space = {**SPACE, "units": [1, 2, 4, 8], "epochs": [4]}
    search = searched(spec_of(write_models(tmp_path), space, strategy=strategy), surroundings, strategy)
    search.start()
    search.wait()
    assert search.state.best is not None
    assert any(one.dropped for one in search.state.combinations)
    assert search.corrected_best() is not None


@pytest.mark.slow
def test_early_stopping_ends_trainings_of_own_models(surroundings: Path, tmp_path: Path) -> None:
    space = {**SPACE, "units": [6], "epochs": [30], "learning_rate": [0.3]}
    spec = spec_of(write_models(tmp_path), space, early_stopping={"patience": 1})
    search = searched(spec, surroundings, "stopping")
    search.start()
    search.wait()
    (one,) = search.state.combinations
    assert all(stopped for stopped in one.stopped_at)


def test_a_worker_runs_only_files_that_are_what_the_order_says(tmp_path: Path) -> None:
    from engine.errors import DataError
    from engine.spec.models import KerasFunction
    from engine.training.user_code import open_function

    (tmp_path / "never.py").write_text("raise SystemExit('it was run')\n")
    model = KerasFunction("never.py:build", str(tmp_path))
    with pytest.raises(DataError, match="has changed since the search began, and is not run"):
        open_function(model, {str(tmp_path / "never.py"): "0" * 64})


def test_a_session_that_names_no_files_runs_none(surroundings: Path, tmp_path: Path) -> None:
    spec = SearchSpec.from_values({**SMALL, "model": "models.py:build", "space": {}}, write_models(tmp_path))
    folds = np.zeros((1, 2), np.int16)
    record = SearchRecord(
        format=FORMAT,
        id="bare",
        created=1000.0,
        spec=spec.to_values(),
        data=DataRecord(
            source_sha256="a",
            digest="b",
            folds_sha256="c",
            rows=2,
            test_rows=2,
            classes=46,
            synthetic=True,
        ),
        versions={},
        host="here",
        cpu="some",
    )
    made_session(surroundings, record, folds)
    with pytest.raises(UsageError, match=r"does not say which files its model models\.py:build needs: none is run"):
        Search.of_session("bare", sessions=surroundings).start()
