"""A spec that names a function of the user's own: it is checked against the function's file, and nothing of it runs."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SpecError
from engine.plan.plan import make_plan
from engine.spec.catalogue import head_of, is_argument
from engine.spec.combinations import combinations_of
from engine.spec.function_signature import read_signature
from engine.spec.models import KerasFunction
from engine.spec.resolved import resolved_params_of
from engine.spec.space_of_one import combination_space
from engine.spec.spec import SearchSpec
from tests import functions_of_tests

FILE = """
raise SystemExit("this file was run")
from somewhere import imported

def build(meta, units=8, *, dropout=0.5, compile_kwargs=None):
    pass

def needs(units, meta):
    pass

def takes_any(units=1, **others):
    pass

wrapped = partial(build, units=3)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(FILE)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "module.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("def build(:\n")
    return tmp_path


def spec_of(folder: Path, space: Any, model: Any = "models.py:build", **more: Any) -> SearchSpec:
    return SearchSpec.from_values({"dataset": "sample", "model": model, "space": space, **more}, folder)


def test_a_function_is_found_beside_the_spec_and_its_parameters_get_their_prefix(folder: Path) -> None:
    spec = spec_of(folder, {"units": [4, 8], "model__dropout": [0.1], "epochs": [1, 2]})
    assert spec.network == KerasFunction("models.py:build", str(folder))
    assert spec.space == {"model__units": [4, 8], "model__dropout": [0.1], "epochs": [1, 2]}
    assert combinations_of(spec)[0] == {"epochs": 1, "model__dropout": 0.1, "model__units": 4}
    assert SearchSpec.from_values(spec.to_values()) == spec
    (folder / "spec.toml").write_text(spec.to_toml())
    assert SearchSpec.read(folder / "spec.toml") == spec


def test_a_spec_in_a_file_looks_beside_that_file(folder: Path) -> None:
    (folder / "spec.toml").write_text('dataset = "sample"\nmodel = "package/module.py:build"\n[space]\nunits = 3\n')
    network = SearchSpec.read(folder / "spec.toml").network
    assert network == KerasFunction("module.py:build", str(folder / "package"))
    assert spec_of(folder, {}, "package.module:build").network == KerasFunction("package.module:build", str(folder))


def test_epochs_are_shared_and_keras_trains(folder: Path) -> None:
    spec = spec_of(folder, {"units": [4, 8], "epochs": [1, 3]})
    plan = make_plan(spec, combinations_of(spec))
    assert len(plan.trainings) == 2 * spec.folds
    assert {training.trainer for training in plan.trainings} == {"keras"}
    assert {training.epochs for training in plan.trainings} == {3}


@pytest.mark.parametrize(
    ("space", "model", "place", "accepted"),
    [
        ({"unit": [1]}, "models.py:build", "space.unit", "models.py:build takes units = 8, dropout = 0.5"),
        ({"hidden_units": [1]}, "models.py:build", "space.hidden_units", "or model__..."),
        ({"model__unit": [1]}, "models.py:build", "space.model__unit", "which takes units = 8, dropout = 0.5"),
        ({"model__meta": [1]}, "models.py:build", "space.model__meta", "which takes units = 8"),
        ({"units": [1], "model__units": [2]}, "models.py:build", "space.model__units", "model__units once"),
        ({"epochs": [1]}, "models.py:needs", "space", "model__units too, which models.py:needs needs"),
        ({"model__units": [{}]}, "models.py:build", "space.model__units[0]", "both low and high"),
        ({}, "models.py:bild", "model", "build, needs, takes_any"),
        ({}, "absent.py:build", "model", "absent.py: No such file"),
        ({}, "broken.py:build", "model", "broken.py, line 1"),
        ({}, "models.py", "model", "models.py:build"),
        ({}, "models.py:a.b", "model", "models.py:build"),
        ({}, {"function": "models.py:build", "kind": 1}, "model.kind", "function, folder, arguments"),
        (
            {},
            {"function": "models.py:build", "arguments": {"unit": 1}},
            "model.arguments.unit",
            "which takes units = 8",
        ),
        (
            {"units": [1]},
            {"function": "models.py:build", "arguments": {"units": 1}},
            "space.units",
            "in the space or in model.arguments",
        ),
    ],
)
def test_a_mistake_names_the_place_and_what_the_function_takes(
    folder: Path, space: Any, model: Any, place: str, accepted: str
) -> None:
    with pytest.raises(SpecError) as refused:
        spec_of(folder, space, model)
    assert refused.value.place == place
    assert accepted in refused.value.accepted


def test_the_kernel_is_refused_for_it(folder: Path) -> None:
    with pytest.raises(SpecError, match="trained by Keras"):
        spec_of(folder, {}, trainer="kernel")


def test_what_only_running_the_file_could_tell_is_left_to_the_first_build(folder: Path) -> None:
    for name in ("wrapped", "imported"):
        assert read_signature(KerasFunction(f"models.py:{name}", str(folder))) is None
        assert spec_of(folder, {"model__anything": [1]}, f"models.py:{name}").space == {"model__anything": [1]}
    assert spec_of(folder, {"model__other": ["a"]}, "models.py:takes_any").space == {"model__other": ["a"]}


def test_a_recorded_spec_is_read_without_the_file(folder: Path) -> None:
    spec = spec_of(folder, {"units": [4]})
    (folder / "models.py").unlink()
    assert SearchSpec.recorded(spec.to_values()) == spec


def test_a_function_itself_is_named_by_its_file(folder: Path) -> None:
    del folder
    part = functools.partial(functions_of_tests.build, units=4)
    network = SearchSpec.from_values({"dataset": "sample", "model": part, "space": {}}).network
    assert isinstance(network, KerasFunction)
    assert (network.function, network.arguments) == ("tests.functions_of_tests:build", {"units": 4})
    assert str(network.file) == functions_of_tests.__file__
    with pytest.raises(SpecError, match="top of a file of its own"):
        SearchSpec.from_values({"dataset": "sample", "model": lambda meta: meta, "space": {}})


def test_values_of_different_types_are_different_models() -> None:
    resolved = [resolved_params_of({"model__bias": value}) for value in (1, 1.0, True, None, [1], "1")]
    assert len(set(resolved)) == len(resolved)


def test_a_parameter_of_a_function_is_no_argument_of_something_else() -> None:
    assert (head_of("model__units"), head_of("optimizer__momentum")) == ("model__units", "optimizer")
    assert is_argument("optimizer__momentum")
    assert not is_argument("model__units")
    params = {"model__units": [4, 4], "epochs": 3}
    assert combination_space(params) == {"model__units": [[4, 4]], "epochs": [3]}


def test_lists_words_and_ranges_are_values_of_a_parameter(folder: Path) -> None:
    spec = spec_of(folder, {"model__units": [[4, 4], [8]], "model__bias": ["none", True]}, "models.py:wrapped")
    drawn = [(one["model__units"], one["model__bias"]) for one in combinations_of(spec)]
    assert drawn == [([4, 4], None), ([8], None), ([4, 4], True), ([8], True)]
    ranged = spec_of(folder, {"dropout": {"low": 0.1, "high": 0.4}}, strategy={"random": 5})
    assert all(0.1 <= one["model__dropout"] <= 0.4 for one in combinations_of(ranged))


def test_the_example_is_a_spec_of_its_own_function() -> None:
    spec = SearchSpec.read(Path(__file__).parents[3] / "examples" / "own_model" / "search.toml")
    assert isinstance(spec.network, KerasFunction)
    signature = read_signature(spec.network)
    assert signature is not None
    assert str(signature) == "units = 32, dropout = 0.0, normalised = False"
    assert len(combinations_of(spec)) == 2 * 2 * 2 * 2 * 2
