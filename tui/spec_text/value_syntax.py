"""Values as people type them (`5, 10, 20`, `1e-4..1e-1 log`, `sgd(momentum=0.8|0.9)`) to values of a spec, and back.

    values      item , item , ...
    item        number | true | false | word | "text" | [item, item] | range | word(argument=choices, ...)
    choices     item | item | ...
    range       low..high, then any of: log int

Nothing here knows which values a hyperparameter takes: the engine checks that of the result.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.spec.bounds import DEEPEST
from engine.spec.catalogue import LIST_ARGUMENTS, NONE

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<range>\.\.)
    |(?P<number>[+-]?(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![A-Za-z_\d])
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>[,()\[\]=|])""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONSTANTS: dict[str, Any] = {"true": True, "false": False}
_FLAGS = ("log", "int")
MOST_CHARACTERS = 20_000
_MOST_DIGITS = 400  # zeros in front can make more of them


class ValueSyntaxError(ValueError):
    """A text that cannot be read; `position` is the character where that shows."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def values_of(text: str, table_key: str = "name") -> Any:
    """A list of the values, or the one distribution, that stand in the text. Raises ValueSyntaxError.

    `table_key`: the key under which `word(argument=...)` becomes a table: "name" of an optimizer, "schedule".
    """
    reader = _Reader(text, table_key)
    values = reader.separated(",", "end")
    reader.expect("end")
    return values[0] if len(values) == 1 and _is_distribution(values[0]) else values


def text_of(value: Any) -> str:
    """A hyperparameter's value in a spec as it would be typed. `values_of` reads it back."""
    if isinstance(value, Mapping) and set(value) == {"choices"}:
        value = value["choices"]
    if isinstance(value, list | tuple):
        return ", ".join(_item_text(item) for item in value)
    return _item_text(value)


@dataclass(frozen=True, slots=True)
class NumberPlace:
    """A number in a text: where it stands, and what it is; `is_integer`: written without a point or exponent."""

    start: int
    end: int
    value: float
    is_integer: bool


def numbers_in(text: str) -> list[NumberPlace]:
    """Every number in a text that is finite, in order; empty where the text cannot be read."""
    try:
        tokens = _tokens(text)
    except ValueSyntaxError:
        return []
    return [
        NumberPlace(
            token.position,
            token.position + len(token.text),
            float(token.text),
            re.fullmatch(r"[+-]?\d+", token.text) is not None,
        )
        for token in tokens
        if token.kind == "number" and math.isfinite(float(token.text))
    ]


def nudged(text: str, place: NumberPlace, step: int) -> str:
    """The text with one of its numbers a little higher (`step` 1) or lower (-1): by its second digit, 0.1 to 0.11."""
    if place.is_integer:
        size = max(1, 10 ** (len(str(abs(int(place.value)))) - 2))
        new = _number_text(max(0, int(place.value) + step * size))
    else:
        size = 10.0 ** (math.floor(math.log10(abs(place.value))) - 1) if place.value else 0.001
        moved = place.value + step * size
        if not math.isfinite(moved):
            return text
        # Below a power of ten the second digit is worth a tenth: 0.1 goes down to 0.099, as 0.099 goes up to 0.1.
        if step < 0 and 0 < moved < size * 10 * 0.9999:
            moved = place.value - size / 10
        if place.value >= 0:
            moved = max(0.0, moved)  # what begins without a sign never needs one
        new = _number_text(float(f"{moved:.6g}"))
    return f"{text[: place.start]}{new}{text[place.end :]}"


# From values to text


def _item_text(value: Any, depth: int = 0) -> str:
    if depth > DEEPEST:
        return "…"  # no spec holds this either
    if isinstance(value, Mapping):
        if _is_distribution(value):
            return _range_text(value)
        head = next((key for key in ("name", "schedule") if key in value), None)
        if head is None or not _WORD.fullmatch(str(value[head])):
            return json.dumps(value)  # no spec holds this; shown as it is, the reader refuses it
        arguments = ", ".join(
            f"{key}={_choices_text(key, item, depth + 1)}" for key, item in value.items() if key != head
        )
        return f"{value[head]}({arguments})" if arguments else f"{value[head]}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_item_text(item, depth + 1) for item in value)}]"
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number_text(value)
    text = str(value)
    return text if _WORD.fullmatch(text) and text not in _CONSTANTS else json.dumps(text)


def _choices_text(key: str, value: Any, depth: int) -> str:
    if not isinstance(value, list | tuple):
        return _item_text(value, depth)
    if key in LIST_ARGUMENTS and not all(isinstance(item, list | tuple) for item in value):
        return _item_text(value, depth)
    return "|".join(_item_text(item, depth + 1) for item in value)


def _range_text(value: Mapping[str, Any]) -> str:
    flags = [flag for flag in _FLAGS if value.get(flag)]
    return " ".join([f"{_item_text(value['low'])}..{_item_text(value['high'])}", *flags])


def _number_text(value: float) -> str:
    text = repr(value)
    # 0.0001 is repr's own; 1e-05 is written 1e-5, as people do.
    return re.sub(r"e([+-])0*", lambda match: "e" + match[1].replace("+", ""), text)


def _is_distribution(value: Any) -> bool:
    return isinstance(value, Mapping) and "low" in value and "high" in value and set(value) <= {"low", "high", *_FLAGS}


# From text to values


def _tokens(text: str) -> list[_Token]:
    if len(text) > MOST_CHARACTERS:
        message = f"at most {MOST_CHARACTERS:,} characters"
        raise ValueSyntaxError(message, MOST_CHARACTERS)
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            stray = re.match(r"[\w.+-]+|.", text[position:], re.DOTALL)
            message = f"{stray[0] if stray else text[position]!r} is neither a number nor a word"
            raise ValueSyntaxError(message, position)
        if match.lastgroup != "space":
            tokens.append(_Token(str(match.lastgroup), match[0], position))
        position = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, text: str, table_key: str) -> None:
        self._tokens = _tokens(text)
        self._table_key = table_key
        self._place = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._place]

    def _take(self) -> _Token:
        token = self._next
        self._place += token.kind != "end"
        return token

    def _comes(self, mark: str) -> bool:
        return self._next.kind == "mark" and self._next.text == mark

    def expect(self, mark: str) -> None:
        """The next token must be this one."""
        if mark == "end":
            if self._next.kind != "end":
                raise self._unexpected("a comma between values")
        elif not self._comes(mark):
            raise self._unexpected(f"a {mark}")
        else:
            self._take()

    def _unexpected(self, wanted: str) -> ValueSyntaxError:
        place = f"{self._next.text!r}" if self._next.text else "the end"
        return ValueSyntaxError(f"{wanted} is missing before {place}", self._next.position)

    def separated(self, separator: str, closing: str) -> list[Any]:
        """Items up to a closing mark, which stays; one separator may stand at the end."""
        items: list[Any] = []
        while not (self._comes(closing) or self._next.kind == "end"):
            items.append(self._item())
            if not self._comes(separator):
                break
            self._take()
        return items

    def _item(self) -> Any:
        token = self._take()
        if token.kind == "number":
            return self._range(token) if self._next.kind == "range" else _number(token)
        if token.kind == "text":
            return _quoted(token)
        if token.kind == "word":
            if self._comes("("):
                return self._inside(token, lambda: self._call(token.text))
            return _CONSTANTS.get(token.text, token.text)
        if token.kind == "mark" and token.text == "[":
            return self._inside(token, self._list)
        self._place -= token.kind != "end"
        raise self._unexpected("a value")

    def _inside(self, opened: _Token, read: Callable[[], Any]) -> Any:
        """The content of a pair of brackets."""
        if self._depth == DEEPEST:
            message = f"brackets can be nested up to {DEEPEST} deep"
            raise ValueSyntaxError(message, opened.position)
        self._depth += 1
        value = read()
        self._depth -= 1
        return value

    def _list(self) -> list[Any]:
        items = self.separated(",", "]")
        self.expect("]")
        return items

    def _range(self, low: _Token) -> dict[str, Any]:
        self._take()
        if self._next.kind != "number":
            raise self._unexpected("a number after ..")
        value: dict[str, Any] = {"low": _number(low), "high": _number(self._take())}
        while self._next.kind == "word" and self._next.text in _FLAGS:
            value[self._take().text] = True
        return value

    def _call(self, name: str) -> dict[str, Any]:
        self.expect("(")
        value: dict[str, Any] = {self._table_key: name}
        while not self._comes(")"):
            argument = self._take()
            if argument.kind != "word":
                self._place -= argument.kind != "end"
                raise self._unexpected("the name of an argument")
            if argument.text in value:
                message = f"{argument.text} is given twice"
                raise ValueSyntaxError(message, argument.position)
            self.expect("=")
            value[argument.text] = self._choices()
            if not self._comes(","):
                break
            self._take()
        self.expect(")")
        return value

    def _choices(self) -> Any:
        first = self._item()
        if not self._comes("|"):
            return first
        choices = [first]
        while self._comes("|"):
            self._take()
            choices.append(self._item())
        return choices


def _number(token: _Token) -> float | int:
    # What is too large as a number with a point is too large altogether; and no digits are wasted on it.
    value = float(token.text)
    if not math.isfinite(value):
        message = f"{token.text[:20]}{'…' if len(token.text) > 20 else ''} is larger than a number can be"
        raise ValueSyntaxError(message, token.position)
    return int(token.text) if re.fullmatch(r"[+-]?\d+", token.text) and len(token.text) <= _MOST_DIGITS else value


def _quoted(token: _Token) -> str:
    try:
        return str(json.loads(token.text))
    except ValueError as error:
        message = f"{token.text} is not a valid text: {error}"
        raise ValueSyntaxError(message, token.position) from error
