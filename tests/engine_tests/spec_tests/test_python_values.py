"""What users of scikit-learn have at hand is taken as it is, written down, and drawn as scikit-learn draws it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.model_selection import ParameterSampler

from engine.errors import SpecError
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec, to_json


def _spec(space: dict[str, Any], **values: Any) -> SearchSpec:
    return SearchSpec.from_values({"dataset": "sample", "space": space, **values})


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (pd.Series([1, 2], index=["a", "b"]), [1, 2]),
        (pd.Index([1, 2]), [1, 2]),
        (pd.Series([1, 2], dtype="Int64").array, [1, 2]),
        (pd.RangeIndex(1, 3), [1, 2]),
        (np.array([1, 2], np.int16), [1, 2]),
        (np.int64(2), 2),
        (pd.Series([np.int64(1), 2], dtype=object), [1, 2]),
        ({"choices": pd.Series([1, 2])}, {"choices": [1, 2]}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_arrays_are_lists_of_plain_numbers(given: Any, written: Any) -> None:
    spec = _spec({"epochs": given})
    assert spec.space == {"epochs": written}
    assert json.loads(to_json(spec))["space"] == {"epochs": written}
    assert SearchSpec.from_toml(spec.to_toml()) == spec


def test_series_are_taken_wherever_a_list_is() -> None:
    optimizer = {"name": "sgd", "momentum": pd.Series([0.0, 0.9])}
    schedule = {"schedule": "PiecewiseConstantDecay", "boundaries": pd.Series([3]), "values": pd.Series([0.1, 0.01])}
    spec = _spec(
        {"optimizer": [optimizer], "learning_rate": [schedule], "activation": pd.Categorical(["relu", "tanh"])},
        scoring=pd.Series(["accuracy", "f1_macro"]),
    )
    assert len(combinations_of(spec)) == 4
    assert spec.scoring == ["accuracy", "f1_macro"]
    assert SearchSpec.from_toml(spec.to_toml()) == spec


def test_distributions_of_scipy_draw_what_scikit_learn_draws() -> None:
    space = {
        "learning_rate": stats.loguniform(1e-4, 1e-1),
        "dropout": stats.uniform(0.125, 0.5),
        "epochs": stats.randint(1, 5),
        "l2": stats.reciprocal(1e-6, 1e-3),
    }
    spec = _spec(space, strategy={"random": 8}, seed=3)
    assert spec.space == {
        "learning_rate": {"low": 1e-4, "high": 0.1, "log": True},
        "dropout": {"low": 0.125, "high": 0.625},
        "epochs": {"low": 1, "high": 4, "int": True},
        "l2": {"low": 1e-6, "high": 1e-3, "log": True},
    }
    assert SearchSpec.from_toml(spec.to_toml()) == spec
    drawn = combinations_of(spec)
    assert drawn == combinations_of(SearchSpec.from_toml(spec.to_toml()))
    theirs = list(ParameterSampler(space, 8, random_state=3))
    assert [list(one) for one in drawn] == [list(one) for one in theirs]
    for ours, other in zip(drawn, theirs, strict=True):
        assert ours == pytest.approx(other, rel=1e-12)
    assert _spec({"epochs": stats.randint(3, 4)}).space == {"epochs": 3}
    assert _spec({"learning_rate": [0.1, stats.uniform(0.1, 0.5)]}, strategy={"random": 2}).spaces


class _Rvs:
    def rvs(self, random_state: Any = None) -> float:
        return 0.5


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (stats.norm(0.1, 0.01), "scipy.stats.norm"),
        (stats.loguniform(1e-4, 1e-1, loc=1), "scipy.stats.loguniform"),
        (_Rvs(), "_Rvs"),
        (stats.uniform, "uniform"),
        (pd.DataFrame({"a": [0.1]}), "DataFrame"),
        ({0.1, 0.2}, "set"),
        (object(), "object"),
        ((number for number in (0.1, 0.2)), "generator"),
        (pd.Series([0.1, pd.NA], dtype=object), "NAType"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [0.1, value]], ids=["alone", "in a list"])
def test_other_objects_are_refused_in_a_line(value: Any, shown: str, wrap: Any) -> None:
    with pytest.raises(SpecError) as refused:
        _spec({"learning_rate": wrap(value)}, strategy={"random": 2})
    message = str(refused.value)
    assert message.startswith("space.learning_rate")
    assert shown in message.partition(" is not accepted")[0]
    assert "distribution" in message or "scipy.stats.uniform" in message
    assert "\n" not in message
    assert len(message) < 300


def test_a_distribution_where_nothing_is_drawn_is_refused() -> None:
    with pytest.raises(SpecError, match=r"space\.dropout: .*random"):
        _spec({"dropout": stats.uniform(0.1, 0.5)})
