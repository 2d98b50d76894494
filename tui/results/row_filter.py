"""The filter language of the results table: text in, a predicate over rows out, nothing of the screen.

`optimizer=adam mean>0.8 batch_size>=128 status=running wide` keeps the rows for which every term holds:
`=` and `!=` compare, `<` `<=` `>` `>=` order numbers, `~` and bare words look for text. `a,b` is either, `5..10` is
a range, quotes hold spaces and commas together, "" or `default` is what a combination lacks, `#17` a combination by its
number. A column may be named by any part of its name that is clear: `decay_rate`.
"""

from __future__ import annotations

import difflib
import operator
import re
from typing import TYPE_CHECKING, Any

from engine.spec.catalogue import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Predicate = Callable[[int], bool]

_TERM = re.compile(r'\s*(?:([\w .@-]*?)\s*(!=|>=|<=|=|>|<|~))?\s*((?:"[^"]*"|[^\s"])+)')
_UNFINISHED = re.compile(r"\s*(?:[\w .@-]*?\s)?([\w.@-]*)\s*(!=|>=|<=|[=<>~!])")
_OPEN = re.compile(r'\s*(?:[\w .@-]*?\s)?([\w.@-]*(?:!=|>=|<=|[=<>~])?(?:"[^"]*"|[^\s"])*"[^"]*)')
_NUMBER = re.compile(r"#(\d+)")
_OPTION = re.compile(r'"([^"]*)"|([^",]+)')
_RANGE = re.compile(r"(-?[\d.]+(?:e-?\d+)?)\.\.(-?[\d.]+(?:e-?\d+)?)", re.IGNORECASE)
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


MOST_CHARACTERS = 500  # each is looked at again for what could end there
MOST_TERMS = 30  # each is a look at every row


class FilterError(ValueError):
    """A filter that cannot be read; the message says what is accepted. The terms before `position` can be read."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


def compile_filter(text: str, columns: Mapping[str, Sequence[Any]]) -> Predicate | None:
    """A predicate over row numbers, which reads `columns` anew at every call; None for an empty filter.

    A last word that begins the name of a column keeps every row: a comparison is being typed. Raises FilterError
    with the names that exist, or the place that cannot be read.
    """
    predicates: list[Predicate] = []
    position = 0
    text = text.rstrip()
    if len(text) > MOST_CHARACTERS:
        message = f"a filter has at most {MOST_CHARACTERS} characters; these are {len(text):,}"
        raise FilterError(message)
    while position < len(text):
        if unfinished := _UNFINISHED.fullmatch(text, position):
            raise FilterError(_wanted(unfinished[1], unfinished[2], columns), unfinished.start(1))
        if unfinished := _OPEN.fullmatch(text, position):
            message = 'a second " is missing'
            raise FilterError(message, unfinished.start(1))
        term = _TERM.match(text, position)
        if term is None:
            message = f"cannot read {text[position : position + 20]!r}; as in: optimizer=adam mean>0.8"
            raise FilterError(message, position)
        try:
            predicates += _predicates(term, columns, is_last=term.end() == len(text))
        except FilterError as error:
            raise FilterError(str(error), position) from error
        position = term.end()
        if len(predicates) > MOST_TERMS:
            message = f"a filter has at most {MOST_TERMS} terms"
            raise FilterError(message, term.start())
    if not predicates:
        return None
    return lambda row: all(predicate(row) for predicate in predicates)


def _predicates(term: re.Match[str], columns: Mapping[str, Sequence[Any]], *, is_last: bool) -> list[Predicate]:
    name, order, value = term.groups()
    if order is None:
        if combination := _NUMBER.fullmatch(value):
            return [_comparison(columns[find_column("combination", columns)], "=", combination[1])]
        if is_last and any(column.startswith(value.lower()) for column in columns):
            return []
        return [_anywhere(value.strip('"'), columns)]
    # A bare word before a comparison is a term of its own: `wide mean>0.8`.
    *words, name = name.split(" ") if name.strip() and name not in columns else [name]
    tests = [_anywhere(word, columns) for word in words if word]
    return [*tests, _comparison(columns[find_column(name, columns)], order, value)]


def _wanted(name: str, order: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """What a comparison without its other side lacks."""
    try:
        return f"a value is missing after {find_column(name, columns)}{order}"
    except FilterError as error:
        return str(error)


def find_column(name: str, columns: Mapping[str, Sequence[Any]]) -> str:
    """The column that is meant: its name, else its last part, its beginning or any part of it, if that is clear."""
    wanted = name.strip().lower().replace(" ", "_")
    known = {column.lower().replace(" ", "_"): column for column in columns}
    if wanted in known:
        return known[wanted]
    for fits in (
        lambda candidate: candidate.endswith("__" + wanted),
        lambda candidate: candidate.startswith(wanted),
        lambda candidate: wanted in candidate,
    ):
        matches = [column for candidate, column in known.items() if wanted and fits(candidate)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            message = f"{_short(name)!r} could be {_short(', '.join(matches))}"
            raise FilterError(message)
    alike = difflib.get_close_matches(wanted, known, n=max(1, len(known)), cutoff=0.0)
    message = f"no column {_short(name, 16)!r}; there are: {_short(', '.join(alike))}"
    raise FilterError(message)


def _short(text: str, most: int = 40) -> str:
    """So short that a line of a narrow terminal holds it."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip(' ,')}…"


def _anywhere(word: str, columns: Mapping[str, Sequence[Any]]) -> Predicate:
    wanted = word.lower()
    texts = [column for name, column in columns.items() if not name.startswith("fold ")]
    return lambda row: any(wanted in _shown(column[row]) for column in texts)


def _comparison(column: Sequence[Any], order: str, value: str) -> Predicate:
    if order == "~":
        wanted = value.strip('"').lower()
        return lambda row: wanted in _shown(column[row])
    if order in _ORDERS:
        limit = _number(value)
        if limit is None:
            message = f"{order} needs a number, not {value!r}"
            raise FilterError(message)
        compare = _ORDERS[order]
        return lambda row: (number := _as_number(column[row])) is not None and compare(number, limit)
    tests = [_equals(quoted or bare) for quoted, bare in _OPTION.findall(value)]
    if len(tests) > MOST_TERMS:
        message = f"a filter has at most {MOST_TERMS} values after {order}"
        raise FilterError(message)
    if order == "=":
        return lambda row: any(test(column[row]) for test in tests)
    return lambda row: not any(test(column[row]) for test in tests)


def _equals(option: str) -> Callable[[Any], bool]:
    if between := _RANGE.fullmatch(option):
        low, high = _number(between[1]), _number(between[2])
        if low is not None and high is not None:
            return lambda value: (number := _as_number(value)) is not None and low <= number <= high
    wanted, limit = option.lower(), _number(option)

    def test(value: Any) -> bool:
        number = _as_number(value)
        if limit is not None and number is not None:
            return number == limit or f"{number:.{_places(option)}f}" == option
        return _shown(value) == wanted or (value is None and wanted == DEFAULT)

    return test


def _places(option: str) -> int:
    """Digits after the point, so that `mean=0.8045` finds what the table shows as 0.8045."""
    return len(option.partition(".")[2])


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _as_number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and value == value:
        return value
    return None


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower()
