"""The filter language, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from tui.row_filter import FilterError, compile_filter, find_column

COLUMNS: dict[str, list[Any]] = {
    "optimizer": ["adam", "sgd", "adamw", None],
    "batch_size": [128, 256, 128, 512],
    "hidden_units": [64, 128, "[128, 64]", 64],
    "learning_rate__decay_rate": [0.8, None, 0.96, None],
    "mean": [0.80451, 0.79, None, None],
    "status": ["complete", "complete", "running", "failed"],
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", [0, 1, 2, 3]),
        ("optimizer=adam", [0]),
        ("optimizer = adam", [0]),
        ("optimizer~adam", [0, 2]),
        ("optimizer!=adam", [1, 2, 3]),
        ("optimizer=adam,sgd", [0, 1]),
        ("mean>0.8", [0]),
        ("mean<0.8", [1]),
        ("mean=0.8045", [0]),
        ("batch_size>=256", [1, 3]),
        ("batch<=128", [0, 2]),
        ("units=64", [0, 3]),
        ("decay_rate=0.8..0.9", [0]),
        ("batch_size=100..300 status=complete", [0, 1]),
        ("status=running", [2]),
        ("STATUS=Running", [2]),
        ("ada", [0, 2]),
        ("complete sgd", [1]),
        ("sgd mean<0.8", [1]),
        ('units="[128, 64]"', [2]),
        ("status=failed,running batch=512", [3]),
    ],
)
def test_rows_that_a_filter_keeps(text: str, rows: list[int]) -> None:
    keeps = compile_filter(text, COLUMNS)
    assert [row for row in range(4) if keeps is None or keeps(row)] == rows


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense=3", "no column 'nonsense'"),
        ("mean>high", "needs a number"),
        ('optimizer="adam', "cannot read"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        compile_filter(text, COLUMNS)


def test_a_name_that_could_be_several_is_refused() -> None:
    with pytest.raises(FilterError, match="could be"):
        find_column("learning_rate__", {"learning_rate__a": [], "learning_rate__b": []})


def test_a_filter_sees_values_that_change() -> None:
    columns: dict[str, list[Any]] = {"mean": [None]}
    keeps = compile_filter("mean>0.5", columns)
    assert keeps is not None
    assert not keeps(0)
    columns["mean"][0] = 0.9
    assert keeps(0)
