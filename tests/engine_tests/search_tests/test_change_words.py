"""What somebody types to change a search is read as the commands read it, mistakes with what is accepted."""

from __future__ import annotations

import pytest

from engine.errors import FoldwatchError
from engine.search.change_words import EXAMPLES, read_change, split
from engine.session import requests


@pytest.mark.parametrize(
    ("text", "request_", "arguments"),
    [
        (
            "add hidden_units=256 epochs=[5, 10]",
            requests.AddValues(values={"hidden_units": [256], "epochs": [5, 10]}),
            ["hidden_units=256", "epochs=[5, 10]"],
        ),
        ("drop optimizer=adam", requests.DropValues(parameter="optimizer", value="adam"), ["optimizer=adam"]),
        ("first", requests.PutFirst(combination=7), ["--combination", "7"]),
        ("  first  #3 ", requests.PutFirst(combination=3), ["--combination", "3"]),
        ("first --combination 3", requests.PutFirst(combination=3), ["--combination", "3"]),
        (
            'clone #2 optimizer={ name = "sgd", momentum = 0.9 }',
            requests.Clone(combination=2, changes={"optimizer": {"name": "sgd", "momentum": 0.9}}),
            ["--combination", "2", 'optimizer={ name = "sgd", momentum = 0.9 }'],
        ),
        (
            "clone dropout=0.5 --combination=0",
            requests.Clone(combination=0, changes={"dropout": 0.5}),
            ["--combination", "0", "dropout=0.5"],
        ),
        ("undo", requests.Undo(), []),
    ],
)
def test_a_line_is_a_request_and_a_command(text: str, request_: requests.Request, arguments: list[str]) -> None:
    change = read_change(text, 7)
    assert change.request == request_
    assert (change.word, change.arguments) == (text.split()[0], arguments)


@pytest.mark.parametrize("text", EXAMPLES.values())
def test_every_example_can_be_read(text: str) -> None:
    assert read_change(text, None).word == text.split()[0]


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("", "accepted: add, drop, first, clone, undo"),
        ("ad epochs=5", "accepted: add, drop, first, clone, undo"),
        ("add", "as in: add hidden_units=256"),
        ("add #3 epochs=5", "as in: add hidden_units=256"),
        ("add epochs", "key=value"),
        ("drop epochs=5 epochs=10", "as in: drop epochs=20"),
        ("first", "as in: first #3"),
        ("first epochs=5", "as in: first #3"),
        ("clone #3", "as in: clone #3 optimizer=adam"),
        ("undo 2", "as in: undo"),
    ],
)
def test_a_mistake_says_what_is_accepted(text: str, accepted: str) -> None:
    with pytest.raises(FoldwatchError) as caught:
        read_change(text, None)
    assert accepted in str(caught.value)


def test_brackets_and_quotes_that_are_still_open_hold_together() -> None:
    assert split("add epochs=[5, 10") == ["add", "epochs=[5, 10"]
    assert split('drop name="a b') == ["drop", 'name="a b']
