"""Changes of a running search as people type them: `add hidden_units=256`, `drop epochs=20`, `first #3`, `undo`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import UsageError, shortened
from engine.search.changes import Request
from engine.session import requests
from engine.spec.bounds import LONGEST_ASSIGNMENT, check_text
from engine.spec.overrides import parse_assignment

EXAMPLES = {
    "add": "add hidden_units=256 epochs=[5,10]",
    "drop": "drop epochs=20",
    "first": "first #3",
    "clone": "clone #3 optimizer=adam",
    "undo": "undo",
}
_OF_ONE = ("first", "clone")
_COMBINATION = re.compile(r"\s(?:#|--combination[ =])(\d{1,9})(?!\S)")


@dataclass(frozen=True)
class Change:
    """A request, and the command that makes it: its word, and what follows the session's name."""

    request: Request
    word: str
    arguments: list[str]


def read_change(text: str, selected: int | None) -> Change:
    """The change that a text means; `first` and `clone` without a number are about the selected combination.

    Raises UsageError or SpecError with what is accepted.
    """
    check_text(text, "change", LONGEST_ASSIGNMENT)
    named = _COMBINATION.search(text)
    pieces = split(text[: named.start()] + text[named.end() :] if named else text)
    word, assignments = (pieces[0], pieces[1:]) if pieces else ("", [])
    combination = int(named[1]) if named else selected if word in _OF_ONE else None
    request = request_of(word, assignments, combination)
    which = [] if combination is None else ["--combination", str(combination)]
    return Change(request, word, [*which, *assignments])


def request_of(
    word: str, assignments: Sequence[str], combination: int | None = None, *, allow_large: bool = False
) -> Request:
    """The request of a word, `name=value` texts and a combination. Raises UsageError or SpecError."""
    if word not in EXAMPLES:
        message = f"{shortened(repr(word))} is not accepted; accepted: {', '.join(EXAMPLES)}"
        raise UsageError(message)
    if (combination is None) == (word in _OF_ONE) or not _fits(word, len(assignments)):
        message = f"{word} cannot be read so; as in: {EXAMPLES[word]}"
        raise UsageError(message)
    values = dict(parse_assignment(text, "NAME=VALUE") for text in assignments)
    if word == "add":
        listed = {name: one if isinstance(one, list) else [one] for name, one in values.items()}
        return requests.AddValues(values=listed, allow_large=allow_large)
    if word == "drop":
        ((parameter, value),) = values.items()
        return requests.DropValues(parameter=parameter, value=value)
    if combination is None:
        return requests.Undo()
    if word == "first":
        return requests.PutFirst(combination=combination)
    return requests.Clone(combination=combination, changes=values)


def _fits(word: str, assignments: int) -> bool:
    if word == "drop":
        return assignments == 1
    return (assignments > 0) == (word in ("add", "clone"))


def split(text: str) -> list[str]:
    """At blanks, but not inside of brackets and quotes."""
    pieces, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "[{") - (character in "]}")
        if character.isspace() and not quote and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece for piece in pieces if piece]
