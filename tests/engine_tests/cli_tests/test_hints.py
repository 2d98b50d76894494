"""Words that other tools use lead to ours, and bounds are written as people write them."""

from __future__ import annotations

import pytest

from engine.errors import SpecError
from engine.formatting.times import in_words
from engine.session.narration import times
from engine.spec.catalogue import Number
from engine.spec.spec import SearchSpec


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"space": {"lr": [0.1]}}, "'learning_rate'? "),
        ({"space": {"units": [8]}}, "'hidden_units'? "),
        ({"space": {"neurons": [8]}}, "'hidden_units'? "),
        ({"space": {}, "cv": 3}, "'folds'? "),
        ({"space": {}, "n_jobs": 2}, "foldwatch run --workers"),
        ({"space": {}, "lr": 0.1}, "space.learning_rate: a hyperparameter belongs to the space"),
        ({"space": {}, "epochs": 5}, "space.epochs: a hyperparameter belongs to the space"),
        ({"space": {}, "optimizer": "adam"}, "space.optimizer: a hyperparameter belongs to the space"),
    ],
)
def test_other_names_lead_to_ours(values: dict[str, object], hint: str) -> None:
    with pytest.raises(SpecError) as refusal:
        SearchSpec.from_values({"dataset": "sample", **values})
    assert f"accepted: {hint}" in str(refusal.value) or hint in str(refusal.value)


def test_bounds_and_counts_read_like_words() -> None:
    assert str(Number(1, 1_000_000, integer=True)) == "a whole number at least 1 and at most 1000000"
    assert str(Number(0, 0.5, low_open=True)) == "a number above 0 and at most 0.5"
    assert (times(1), times(3)) == ("once", "3 times")
    assert in_words(150 * 3600) == "6.2 days"
