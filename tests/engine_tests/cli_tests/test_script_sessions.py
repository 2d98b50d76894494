"""What the commands say of a session whose search lives in a script."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from engine.analysis.results import cv_results, to_csv
from engine.cli.main import main
from engine.session import requests
from engine.session.narration import describe
from engine.session.state import SearchState
from tests.script_sessions import SCRIPT, all_fits, begun, keras_session, watched_session


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a session `mine`, a script's real search that failed for one of three combinations."""
    folder = tmp_path_factory.mktemp("scripts") / "sessions"
    folder.mkdir(mode=0o700)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, of the fits that fail
        watched_session(folder, fault="raise", faulty=-1.0)
    return folder


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("zoom mine", "this search lives in an interactive session; to change it"),
        ("save mine --to best.keras", "this search lives in an interactive session; to change it"),
        ("resume mine", "this search lives in an interactive session; to change it"),
        ("resume mine --detach", "this search lives in an interactive session; to change it"),
        ("resume mine --retry 2", "this search lives in an interactive session; to change it"),
        ("retry mine --combination 2", "this search lives in an interactive session; to change it"),
        ("add mine factor=3", "this search lives in an interactive session; to change it"),
        ("drop mine factor=1.0", "this search lives in an interactive session; to change it"),
        ("first mine --combination 1", "this search lives in an interactive session; to change it"),
        ("clone mine --combination 0 factor=4", "this search lives in an interactive session; to change it"),
        ("undo mine", "this search lives in an interactive session; to change it"),
        ("deadline mine 20m", "this search lives in an interactive session; to change it"),
        ("errors mine", "which rows are wrong is not recorded of a script's search"),
        ("pause mine", "no engine works on this session; its script has ended"),
        ("stop mine", "no engine works on this session; its script has ended"),
    ],
)
def test_what_needs_a_spec_says_in_one_line_where_the_search_lives(
    command: str, words: str, sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--sessions", str(sessions)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert words in said.err
    assert "foldwatch resume" not in said.err


def test_a_script_is_named_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras_session(tmp_path, begun())
    assert main(["zoom", "quick", "--sessions", str(tmp_path)]) == 2
    assert f"quick: this search lives in the script {SCRIPT}; to change it" in capsys.readouterr().err


def test_results_say_what_there_is(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*arguments: str) -> str:
        assert main([*arguments, "--sessions", str(sessions)]) == 0
        return capsys.readouterr().out

    for text in (said("show", "mine"), said("report", "mine")):
        assert "not available: a script's search records no predictions" in text
        assert "Recorded(fault='raise')" in text
        assert "script ()" not in text
    assert "it cannot be fitted" in said("logs", "mine")
    started = said("logs", "mine").splitlines()[0]
    assert "60 rows, 2 splits, 1 worker, 6 fits to run" in started
    page = said("report", "mine", "--format", "html")
    assert "0 classes" not in page
    assert "Learning rate and curves" not in page  # it has none

    values = json.loads(said("show", "mine", "--json"))
    assert values["honest"] == {"unavailable": "not available: a script's search records no predictions"}
    assert len(values["combinations"][0]["train_scores"]["score"]) == 2
    assert "train_scores" not in values["combinations"][2]  # which failed


def test_results_have_the_train_scores_as_scikit_learn_has_them(tmp_path: Path) -> None:
    from sklearn.model_selection import GridSearchCV

    from tests.script_estimators import Recorded, data

    theirs = GridSearchCV(Recorded(), {"factor": [0.5, 1.0, -1.0]}, cv=2, return_train_score=True).fit(*data())
    state = watched_session(tmp_path).state()
    ours = cv_results(state)
    assert list(ours) == list(theirs.cv_results_)
    for name in ("split0_train_score", "split1_train_score", "mean_train_score", "std_train_score"):
        np.testing.assert_array_equal(ours[name], theirs.cv_results_[name])
    assert "mean_train_score" in to_csv(state).splitlines()[0]


def test_a_script_whose_fits_are_all_known_says_so(tmp_path: Path) -> None:
    for _ in range(2):
        session = watched_session(tmp_path)
    state, lines = SearchState(), []
    for event in session.follow().poll():
        state.apply(event)
        lines.append(describe(event, state) or "")
    again = [line for line in lines if line.startswith("search goes on")]
    assert len(again) == 1
    assert again[0].endswith("1 worker, nothing to run")


def test_a_report_has_the_rates_that_the_scripts_optimizer_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras_session(tmp_path, all_fits(), alive=False)
    assert main(["report", "quick", "--json", "--sessions", str(tmp_path)]) == 0
    traces = json.loads(capsys.readouterr().out)["traces"]
    assert [trace["learning_rate"]["rates"] for trace in traces] == [[0.3, 0.24, 0.192, 0.1536]] * 2
    assert len(traces[0]["curves"]) == 2
    assert main(["logs", "quick", "--sessions", str(tmp_path)]) == 0
    assert "the script refits combination 1 on all training rows\n" in capsys.readouterr().out


def test_nothing_is_asked_of_a_script_that_refits_the_best(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    session = keras_session(tmp_path, all_fits())
    assert main(["stop", "quick", "--sessions", str(tmp_path)]) == 2
    assert "all fits are scored; the script is refitting #1 on all training rows: epoch 2/4" in capsys.readouterr().err
    assert requests.take_requests(session.folder) == ([], [])


def test_an_interrupted_script_is_to_be_run_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras_session(tmp_path, begun(), alive=False)
    assert main(["pause", "quick", "--sessions", str(tmp_path)]) == 2
    assert f"to go on, run the script again: {SCRIPT}" in capsys.readouterr().err
