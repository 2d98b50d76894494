"""What a program imports from `engine`: every name of it, typed, and what it was called before."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import engine
from engine.errors import SpecError
from engine.search.search import Search
from engine.spec.spec import SearchSpec
from tests import functions_of_tests
from tests.fakes import fake_search

NAMES = {
    *("Search", "SearchSpec", "errors", "events", "list_sessions", "open_session"),
    *("FoldwatchClassifier", "GridSearchCV", "RandomizedSearchCV", "watch"),
}


def test_the_names_are_known_before_they_are_loaded() -> None:
    assert set(engine.__all__) == NAMES
    code = "import engine, sys; before = set(sys.modules); print(*dir(engine)); assert set(sys.modules) == before"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(listed) >= {*NAMES, "__version__"}


@pytest.mark.parametrize("name", sorted(NAMES - {"FoldwatchClassifier"}))
def test_each_name_is_there_in_a_fresh_interpreter(name: str) -> None:
    code = f"import engine; first = engine.{name}; from engine import {name}; assert {name} is first is not None"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.keras
def test_the_classifier_is_there() -> None:
    from engine.training.classifier import FoldwatchClassifier

    assert engine.FoldwatchClassifier is FoldwatchClassifier


def test_the_modules_of_the_face_are_those_that_the_engine_raises_and_tells_with() -> None:
    assert engine.errors.SpecError is SpecError
    assert engine.events.Event.__module__ == "engine.session.events"


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(engine.__file__).parent / "py.typed").is_file()


def test_a_search_can_do_what_it_could() -> None:
    methods = {
        *("start", "run", "wait", "subscribe", "interrupt", "plan", "of_session", "session", "spec", "outcome"),
        *("pause", "resume", "stop", "skip", "retry", "set_deadline"),
        *("add_values", "drop_values", "put_first", "clone", "undo"),
        *("save_best", "save_request", "save_warnings"),
        *("state", "cv_results_", "best_index_", "best_params_", "best_score_", "to_frame"),
        *("corrected_best", "honest_best", "errors", "report", "zoom"),
    }
    search = Search(dataset="sample", space={})
    assert {name for name in dir(search) if not name.startswith("_")} == methods
    undocumented = [name for name in methods - {"session", "spec"} if not inspect.getdoc(getattr(Search, name))]
    assert undocumented == []


def test_a_search_names_every_key_of_a_spec_with_its_default() -> None:
    parameters = inspect.signature(Search).parameters
    assert not [one for one in parameters.values() if one.kind in (one.VAR_KEYWORD, one.VAR_POSITIONAL)]
    keys = SearchSpec.__struct_fields__
    assert [key for key in keys if key not in parameters] == []
    assert [name for name in parameters if f"`{name}`" not in (inspect.getdoc(Search) or "")] == []
    defaults = {key: parameters[key].default for key in keys if key not in ("dataset", "space")}
    given = SearchSpec.from_values({"dataset": "sample", "space": {}, **defaults})
    assert given == SearchSpec.from_values({"dataset": "sample", "space": {}})
    assert Search(dataset="sample", space={}).spec == given


def test_a_search_hands_every_key_to_its_spec() -> None:
    values: dict[str, Any] = {
        "dataset": "sample",
        "model": {"function": "functions_of_tests.py:build", "folder": str(Path(functions_of_tests.__file__).parent)},
        "num_words": 500,
        "subsample": 0.5,
        "folds": 4,
        "repeats": 2,
        "scoring": ["f1_macro"],
        "strategy": {"random": 2},
        "stage": [],
        "seed": 7,
        "trainer": "keras",
        "time_limit": 60.0,
        "early_stopping": {"patience": 3},
        "allow_large": True,
        "space": {"epochs": [1, 2]},
    }
    assert set(values) == set(SearchSpec.__struct_fields__)
    assert Search(**values).spec == SearchSpec.from_values(values)
    stages: list[dict[str, Any]] = [{"subsample": 0.5, "keep": 1}, {"subsample": 1.0}]
    assert Search(dataset="sample", stage=stages, space={"epochs": [1, 2]}).spec.stage == stages


def test_a_search_of_nothing_says_what_is_missing() -> None:
    with pytest.raises(SpecError, match="dataset"):
        Search(space={})
    with pytest.raises(SpecError, match="an empty one runs the defaults once"):
        Search(dataset="sample")


def test_the_options_of_a_session_are_options_of_a_search() -> None:
    search = inspect.signature(Search).parameters
    options = dict(inspect.signature(Search.of_session).parameters)
    del options["identifier"]
    assert not [one for one in options.values() if one.kind is one.VAR_KEYWORD]
    assert {name: one.default for name, one in options.items()} == {name: search[name].default for name in options}


def test_the_version_is_said_once() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["hatch"]["version"]["path"] == "engine/__init__.py"


@pytest.mark.keras
def test_the_classifier_is_still_where_version_0_1_had_it() -> None:
    with pytest.warns(DeprecationWarning, match="engine.FoldwatchClassifier") as warned:
        from engine.training.estimator import FoldwatchClassifier
    assert FoldwatchClassifier is engine.FoldwatchClassifier
    assert warned[0].filename == __file__
    import engine.training.estimator as old

    with pytest.raises(AttributeError, match="nothing_such"):
        _ = old.nothing_such


def test_the_best_score_is_still_had_by_the_name_of_version_0_1(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": [1, 2]})
    list(search.run())
    with pytest.warns(DeprecationWarning, match="corrected_best") as warned:
        old = search.honest_best()
    assert old == search.corrected_best()
    assert warned[0].filename == __file__
