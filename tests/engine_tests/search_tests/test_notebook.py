"""A search in a notebook: a table under the cell, by a real kernel; what a cell defines is run by the workers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.search.sklearn.notebook import table_in_html
from engine.session import events
from engine.session.session import open_session
from engine.session.state import SearchState

REPOSITORY = Path(__file__).parents[3]
DEFINITIONS = """
from pathlib import Path
import threading
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV
from engine import watch

def sign(values, classes):
    return classes[(values > 0).astype(int)]

class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, factor=1.0, change=None):
        self.factor, self.change = factor, change

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        while not Path("go").exists():
            threading.Event().wait(0.01)
        return self

    def predict(self, X):
        return sign(self.change(X[:, 0]) * self.factor, self.classes_)

def share(model, X, y):
    return float((model.predict(X) == y).mean())

def make():
    def half(values):
        return values / 2
    return half

X = np.random.default_rng(0).normal(size=(60, 3))
y = (X[:, 0] > 0).astype(int)
"""
SEARCH = """
grid = {"factor": [1.0, -1.0], "change": [make(), lambda values: values * 2]}
with watch("mine", sessions="sessions", workers=1):
    search = GridSearchCV(Mine(), grid, cv=2, scoring=share, refit=False).fit(X, y)
print(search.cv_results_["mean_test_score"].tolist())
"""


def test_a_table_under_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ipykernel")
    nbclient: Any = pytest.importorskip("nbclient")
    nbformat: Any = pytest.importorskip("nbformat")
    (tmp_path / "sessions").mkdir(mode=0o700)
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    drawn: list[str] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc]
        def process_message(self, message: Any, *arguments: Any) -> Any:
            """The fits wait until a table has shown that none of them is finished."""
            if message["msg_type"] == "update_display_data":
                drawn.append(message["content"]["data"]["text/html"])
                if "0 of 8 fits" in drawn[-1]:
                    (tmp_path / "go").touch()
            return super().process_message(message, *arguments)

    cells = [nbformat.v4.new_code_cell(text) for text in (DEFINITIONS, SEARCH)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    Client(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = cells[1].outputs
    assert "running" in drawn[0]
    (table,) = [one for one in outputs if one.output_type == "display_data"]
    shown = table.data["text/html"]
    assert shown == drawn[-1]
    assert "completed, 8 of 8 fits" in shown
    assert "change=make.&lt;locals&gt;.half" in shown
    assert "<code>foldwatch attach mine" in shown
    assert [one.text for one in outputs if one.output_type == "stream"] == ["[1.0, 0.0, 1.0, 0.0]\n"]
    assert open_session("mine", tmp_path / "sessions").state().status == "completed"


def test_text_from_outside_is_no_html() -> None:
    state = SearchState()
    state.apply(
        events.SearchStarted(
            time=1.0,
            session="a",
            segment=1,
            dataset="",
            synthetic=False,
            rows=2,
            classes=0,
            splits=1,
            scoring=["<i>"],
            workers=1,
            trainings=1,
            cost=0.0,
            host="",
            pid=1,
            script=True,
        )
    )
    planned = events.PlannedCombination(index=0, params={"<b>": "<script>\x1b"}, trainer="script")
    state.apply(events.CombinationsAdded(time=1.0, combinations=[planned]))
    state.apply(
        events.FitScored(time=2.0, combination=0, fold=0, training=0, epochs=1, scores={"<i>": 0.5}, seconds=1.0)
    )
    shown = table_in_html(state, "a", "foldwatch attach '<'", 3.0)
    assert "&lt;b&gt;=&lt;script&gt;␛" in shown
    assert "<th>&lt;i&gt;</th>" in shown
    assert "attach &#x27;&lt;&#x27;" in shown
    assert "1 of 1 fits" in shown


def test_a_script_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir(mode=0o700)
    (tmp_path / "marks").mkdir()
    command = [sys.executable, "-m", "tests.watched_script", str(tmp_path / "sessions"), str(tmp_path / "marks")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY, env=environment)
    attach = f"foldwatch attach script --sessions {tmp_path / 'sessions'}"
    assert ran.stderr == f"foldwatch: session script; watch it with: {attach}\n"
