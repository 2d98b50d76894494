"""What people type, and what it means in a spec."""

from __future__ import annotations

from typing import Any

import pytest

from tui.spec_text.value_syntax import MOST_CHARACTERS, ValueSyntaxError, nudged, numbers_in, text_of, values_of

BOTH_WAYS: list[tuple[str, str, Any]] = [
    ("name", "", []),
    ("name", "5", [5]),
    ("name", "5, 10, 20", [5, 10, 20]),
    ("name", "0.001, 1e-5", [0.001, 1e-5]),
    ("name", "0.0001..0.1 log", {"low": 0.0001, "high": 0.1, "log": True}),
    ("name", "16..512 int", {"low": 16, "high": 512, "int": True}),
    ("name", "16..512 log int", {"low": 16, "high": 512, "log": True, "int": True}),
    ("name", "0.1, 0.2..0.5", [0.1, {"low": 0.2, "high": 0.5}]),
    ("name", "64, [128, 64]", [64, [128, 64]]),
    ("name", "relu, tanh", ["relu", "tanh"]),
    ("name", "true, false, none", [True, False, "none"]),
    ("name", '"two words"', ["two words"]),
    ("name", '"true"', ["true"]),
    (
        "name",
        "rmsprop, sgd(momentum=0.8|0.9, nesterov=true)",
        ["rmsprop", {"name": "sgd", "momentum": [0.8, 0.9], "nesterov": True}],
    ),
    (
        "schedule",
        "0.001, ExponentialDecay(initial_learning_rate=0.1|0.5, decay_epochs=1, decay_rate=0.8|0.96)",
        [
            0.001,
            {
                "schedule": "ExponentialDecay",
                "initial_learning_rate": [0.1, 0.5],
                "decay_epochs": 1,
                "decay_rate": [0.8, 0.96],
            },
        ],
    ),
    (
        "schedule",
        "CosineDecay(initial_learning_rate=0.001..0.1 log, decay_epochs=all)",
        [
            {
                "schedule": "CosineDecay",
                "initial_learning_rate": {"low": 0.001, "high": 0.1, "log": True},
                "decay_epochs": "all",
            }
        ],
    ),
    (
        "schedule",
        "PiecewiseConstantDecay(boundary_epochs=[2, 4]|[1, 3], values=[0.1, 0.01, 0.001])",
        [
            {
                "schedule": "PiecewiseConstantDecay",
                "boundary_epochs": [[2, 4], [1, 3]],
                "values": [0.1, 0.01, 0.001],
            }
        ],
    ),
]


@pytest.mark.parametrize(("table_key", "text", "values"), BOTH_WAYS, ids=[text or "empty" for _, text, _ in BOTH_WAYS])
def test_text_and_values_are_two_spellings_of_one_thing(table_key: str, text: str, values: Any) -> None:
    assert values_of(text, table_key) == values
    assert text_of(values) == text


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-4..1e-1 log", {"low": 1e-4, "high": 1e-1, "log": True}),
        ("  5 ,10,  ", [5, 10]),
        ("+3, -2, .5, 5.", [3, -2, 0.5, 5.0]),
        ("1..5", {"low": 1, "high": 5}),
        ("1.5..2.5", {"low": 1.5, "high": 2.5}),
        ("sgd()", [{"name": "sgd"}]),
        ("sgd(momentum=0.9,)", [{"name": "sgd", "momentum": 0.9}]),
    ],
)
def test_other_spellings(text: str, values: Any) -> None:
    assert values_of(text) == values


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        ({"choices": [1, 2]}, "1, 2"),
        ({"name": "sgd", "momentum": 0.9}, "sgd(momentum=0.9)"),
        ((1, 2), "1, 2"),
        ([1e-05, 1e22], "1e-5, 1e22"),
    ],
)
def test_values_that_specs_may_hold_too(value: Any, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("text", "says", "position"),
    [
        ("5 10", "comma", 2),
        ("5,,", "a value", 2),
        ("5,,6", "a value", 2),
        ("0.5..", "a number after ..", 5),
        ("1..x", "a number after ..", 3),
        ("sgd(", "the name of an argument", 4),
        ("sgd(momentum", "a =", 12),
        ("sgd(momentum=", "a value", 13),
        ("sgd(momentum=1, momentum=2)", "twice", 16),
        ("sgd(5)", "name of an argument", 4),
        ("[1, 2", "a ]", 5),
        ("1_000", "'1_000' is neither", 0),
        ("10k", "'10k' is neither", 0),
        ("5 §", "'§' is neither", 2),
        ('"open', "is neither", 0),
        (")", "a value", 0),
    ],
)
def test_what_cannot_be_read_says_where(text: str, says: str, position: int) -> None:
    with pytest.raises(ValueSyntaxError) as caught:
        values_of(text)
    assert says in str(caught.value)
    assert caught.value.position == position


def test_endless_text_is_refused_at_once() -> None:
    with pytest.raises(ValueSyntaxError, match="characters"):
        values_of("1," * MOST_CHARACTERS)
    with pytest.raises(ValueSyntaxError):
        values_of("9" * 10_000)


@pytest.mark.parametrize(
    ("text", "up", "down"),
    [
        ("0.1", "0.11", "0.099"),
        ("0.8", "0.81", "0.79"),
        ("0.099", "0.1", "0.098"),
        ("1e-3", "0.0011", "0.00099"),
        ("1", "2", "0"),
        ("0", "1", "0"),
        ("128", "138", "118"),
        ("0.0", "0.001", "0.0"),
    ],
)
def test_numbers_are_nudged_by_their_second_digit(text: str, up: str, down: str) -> None:
    (place,) = numbers_in(text)
    assert nudged(text, place, 1) == up
    assert nudged(text, place, -1) == down


def test_nudging_changes_only_its_number() -> None:
    text = "0.001, ExponentialDecay(initial_learning_rate=0.1|0.5, decay_epochs=1, decay_rate=0.8)"
    places = numbers_in(text)
    assert [place.value for place in places] == [0.001, 0.1, 0.5, 1, 0.8]
    assert nudged(text, places[2], 1) == text.replace("0.5", "0.51")
    assert nudged(text, places[3], 1) == text.replace("epochs=1", "epochs=2")
    assert numbers_in("5 §") == []


@pytest.mark.parametrize("text", ["[" * 900, "a(b=" * 900, "[a(b=" * 450, "1, [2, " * 900])
def test_brackets_in_brackets_have_an_end(text: str) -> None:
    with pytest.raises(ValueSyntaxError, match="16 deep"):
        values_of(text)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "9" * 400, "9" * 19_000, "0.1..1e400", "sgd(momentum=1e309)"])
def test_a_number_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueSyntaxError, match="larger than a number can be"):
        values_of(text)
    assert all(abs(place.value) < 1e308 for place in numbers_in(text))


@pytest.mark.parametrize("text", ["1.79e308", "-1.79e308", "5e-324", "9" * 308, "0e99999", "1e-99999"])
def test_the_largest_and_smallest_numbers_can_be_nudged(text: str) -> None:
    for step in (1, -1):
        assert numbers_in(nudged(text, numbers_in(text)[0], step)) or text.startswith("9")


def test_what_no_spec_holds_is_shown_all_the_same() -> None:
    deep: list[Any] = []
    for _ in range(900):
        deep = [deep]
    assert "…" in text_of(deep)
