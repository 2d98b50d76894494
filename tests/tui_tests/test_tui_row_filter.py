"""The filter language, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from tui.results.row_filter import FilterError, compile_filter, find_column

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
        ("adam opti", [0, 2]),
        ("opti adam", []),
        ("complete sgd", [1]),
        ("sgd mean<0.8", [1]),
        ('units="[128, 64]"', [2]),
        ("status=failed,running batch=512", [3]),
        ('units="[128, 64]",128', [1, 2]),
        ('decay_rate=""', [1, 3]),
        ('decay_rate=0.9..1,""', [1, 2, 3]),
        ('optimizer!=""', [0, 1, 2]),
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
        ("mean>", "a value is missing after mean>"),
        ("wide  mean != ", "a value is missing after mean!="),
        ("lr=", "no column 'lr'; there are: "),
        (f"{'x' * 99}=1", "no column 'xxxxxxxxxxxxxxx…'"),
        ('optimizer="adam', 'a second " is missing'),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(FilterError, match=said):
        compile_filter(text, COLUMNS)


@pytest.mark.parametrize(
    ("text", "before"),
    [("lr=", ""), ("mean>0.8 lr=", "mean>0.8 "), ("adam mean >", "adam "), ("mean>0.8 foo=3", "mean>0.8 ")],
)
def test_the_terms_before_the_one_that_is_refused_can_be_read(text: str, before: str) -> None:
    with pytest.raises(FilterError) as refused:
        compile_filter(text, COLUMNS)
    assert text[: refused.value.position].strip() == before.strip()
    compile_filter(before, COLUMNS)


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


def test_what_a_combination_does_not_name_is_found_as_the_table_calls_it() -> None:
    keeps = compile_filter("learning_rate=default", {"learning_rate": [None, 0.1]})
    assert keeps is not None
    assert [keeps(0), keeps(1)] == [True, False]


@pytest.mark.parametrize("text", ["a" * 6000, "a=" * 3000, '"' * 501, "wide " * 1200, "mean>0.8 " * 60])
def test_a_filter_has_a_length(text: str) -> None:
    with pytest.raises(FilterError, match="at most"):
        compile_filter(text, COLUMNS)


@pytest.mark.parametrize("text", ["a " * 31, f"batch_size={','.join(map(str, range(31)))}"])
def test_a_filter_looks_at_each_row_so_often_and_no_more(text: str) -> None:
    with pytest.raises(FilterError, match="at most 30"):
        compile_filter(text, COLUMNS)
    assert compile_filter("a " * 30, COLUMNS) is not None
