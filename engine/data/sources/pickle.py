"""Reads lists of integers out of a NumPy object array's pickle without an unpickler: nothing in it can be called.

A pickle is a program for a small stack machine. This is that machine with only the instructions that an object
array of lists of integers needs. Names of functions and classes are compared with an allow-list and never looked
up, so there is nothing to execute; runs of integers, which are nearly all of the file, are decoded in C.
"""

from __future__ import annotations

import pickle
import re
from array import array
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

ALLOWED_GLOBALS = frozenset(
    {
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
    }
)
# Each instruction or entry costs at most some 200 bytes here, so that no small file can fill the memory;
# IMDB's larger part takes 150,000 instructions.
MOST_INSTRUCTIONS = 1_000_000
MOST_STACKED = 200_000

# The whole-number instructions: one byte, two bytes, four bytes.
_INTEGERS = re.compile(rb"(?:K.|M..|J....){1,10000}", re.DOTALL)


class RefusedPickleError(Exception):
    """The pickle is not an object array of lists of integers; the message says why in a few words."""


class _Marker:
    """A value that means nothing here beyond being itself: a name, a flag, text."""

    def __init__(self, text: str) -> None:
        self.text = text


class _List:
    """A list of integers or a list of lists; `numbers` and `rows` are never both filled."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.rows: list[object] = []

    def extend(self, items: list[object]) -> None:
        if self.rows or (items and not self.numbers and isinstance(items[0], _List)):
            self.rows += items
            return
        try:
            self.numbers.extend(items)  # type: ignore[arg-type]
        except OverflowError:
            _refuse("it holds a number that is larger than any word rank")
        except TypeError:
            strange = next(item for item in items if not isinstance(item, int))
            _refuse(f"it holds {_kind(strange)} where a whole number belongs")


class _Array:
    """An array under reconstruction; `rows` once its state has come."""

    def __init__(self) -> None:
        self.rows: list[object] | None = None


def rows_of(content: memoryview, expected_rows: int) -> list[array[int]]:
    """The rows of the object array of `expected_rows` lists of integers that `content` pickles.

    Raises `RefusedPickleError` for everything else, also where it is cut short.
    """
    machine = _Machine(content)
    try:
        result = machine.run()
    except (IndexError, ValueError):
        # Operands beyond the end, names that are no text, or an instruction that takes more than there is.
        _refuse("its pickle is damaged or cut short")
    if not isinstance(result, _Array) or result.rows is None:
        _refuse(f"its pickle holds {_kind(result)}, not an object array")
    if len(result.rows) != expected_rows:
        _refuse(f"its header says {expected_rows} rows, its pickle holds {len(result.rows)}")
    rows: list[array[int]] = []
    for number, row in enumerate(result.rows):
        if not isinstance(row, _List) or row.rows:
            kind = "a list of other things" if isinstance(row, _List) else _kind(row)
            _refuse(f"row {number} is {kind}, not a list of whole numbers")
        rows.append(row.numbers)
    return rows


def _refuse(reason: str) -> NoReturn:
    raise RefusedPickleError(reason)


def _kind(value: object) -> str:
    if isinstance(value, _Marker):
        return value.text
    names = {int: "a number", tuple: "a tuple", bytes: "bytes", _List: "a list", _Array: "an array"}
    return names.get(type(value), "something else")


class _Machine:
    def __init__(self, content: memoryview) -> None:
        self.content = content
        self.position = 0
        self.stack: list[object] = []
        self.marks: list[int] = []
        self.memo: dict[int, object] = {}

    def run(self) -> object:
        instructions = self.instructions()
        for _ in range(MOST_INSTRUCTIONS):
            integers = _INTEGERS.match(self.content, self.position)
            if integers:
                self.position = integers.end()
                # Only the three whole-number instructions are in there: a mark, them, "list", "stop".
                self.stack += pickle.loads(b"(" + integers.group() + b"l.")  # noqa: S301
                if len(self.stack) > MOST_STACKED:
                    _refuse("its pickle needs more memory than any such array would")
                continue
            code = self.content[self.position]
            self.position += 1
            if code == ord("."):
                return self.stack.pop()
            handler = instructions.get(code)
            if handler is None:
                _refuse(f"its pickle uses the instruction {bytes([code])!r}, which no list of whole numbers needs")
            handler()
        _refuse("its pickle has more instructions than any such array would")

    def instructions(self) -> dict[int, Callable[[], None]]:
        push = self.stack.append
        table: dict[bytes, Callable[[], None]] = {
            b"\x80": lambda: self.skip(1),  # protocol
            b"\x95": lambda: self.skip(8),  # frame
            b"(": lambda: self.marks.append(len(self.stack)),
            b"]": lambda: push(_List()),
            b"e": self.extend,
            b"a": self.append,
            b"N": lambda: push(_Marker("None")),
            b"\x88": lambda: push(_Marker("True")),
            b"\x89": lambda: push(_Marker("False")),
            b")": lambda: push(()),
            b"t": lambda: push(tuple(self.since_mark())),
            b"\x85": lambda: self.make_tuple(1),
            b"\x86": lambda: self.make_tuple(2),
            b"\x87": lambda: self.make_tuple(3),
            b"\x8a": lambda: push(int.from_bytes(self.take(self.number(1)), "little", signed=True)),
            b"G": lambda: self.push_marker("a fraction", 8),
            b"\x8c": lambda: self.push_text(1),
            b"X": lambda: self.push_text(4),
            b"U": lambda: self.push_text(1),
            b"T": lambda: self.push_text(4),
            b"C": lambda: self.push_text(1),
            b"B": lambda: self.push_text(4),
            b"q": lambda: self.remember(self.number(1)),
            b"r": lambda: self.remember(self.number(4)),
            b"\x94": lambda: self.remember(len(self.memo)),
            b"h": lambda: self.recall(self.number(1)),
            b"j": lambda: self.recall(self.number(4)),
            b"c": lambda: self.push_global(self.line(), self.line()),
            b"\x93": self.stacked_global,
            b"R": self.reduce,
            b"b": self.build,
        }
        return {code[0]: handler for code, handler in table.items()}

    def take(self, length: int) -> bytes:
        end = self.position + length
        if end > len(self.content):
            raise IndexError
        taken = bytes(self.content[self.position : end])
        self.position = end
        return taken

    def skip(self, length: int) -> None:
        self.take(length)

    def number(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def line(self) -> str:
        end = bytes(self.content[self.position : self.position + 300]).index(b"\n")
        return self.take(end + 1)[:-1].decode()

    def since_mark(self) -> list[object]:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def push_marker(self, text: str, operand: int) -> None:
        self.skip(operand)
        self.stack.append(_Marker(text))

    def push_text(self, length_bytes: int) -> None:
        length = self.number(length_bytes)
        if length > 300:
            _refuse("its pickle holds long text, not whole numbers")
        self.stack.append(_Marker(repr(self.take(length).decode("utf-8", "replace"))))

    def make_tuple(self, length: int) -> None:
        if len(self.stack) < length:
            raise IndexError
        items = tuple(self.stack[-length:])
        del self.stack[-length:]
        self.stack.append(items)

    def extend(self) -> None:
        items = self.since_mark()
        self.target().extend(items)

    def append(self) -> None:
        item = self.stack.pop()
        self.target().extend([item])

    def target(self) -> _List:
        target = self.stack[-1]
        if not isinstance(target, _List):
            _refuse(f"its pickle puts items into {_kind(target)}")
        return target

    def remember(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        value = self.memo.get(key)
        if isinstance(value, _List):
            _refuse("one list stands in two places")
        if value is None:
            raise IndexError
        self.stack.append(value)

    def stacked_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, _Marker) or not isinstance(module, _Marker):
            _refuse("its pickle names something in an unknown way")
        self.push_global(module.text.strip("'\""), name.text.strip("'\""))

    def push_global(self, module: str, name: str) -> None:
        full_name = f"{module}.{name}"
        if full_name not in ALLOWED_GLOBALS:
            _refuse(f"its pickle would call {full_name!r}; nothing was run")
        self.stack.append(_Marker(full_name))

    def reduce(self) -> None:
        self.stack.pop()
        called = self.stack.pop()
        if isinstance(called, _Marker) and called.text.endswith("._reconstruct"):
            self.stack.append(_Array())
        elif isinstance(called, _Marker) and called.text == "numpy.dtype":
            self.stack.append(_Marker("a data type"))
        else:
            _refuse(f"its pickle calls {_kind(called)}")

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Marker) and target.text == "a data type":
            return
        if not isinstance(target, _Array):
            _refuse(f"its pickle sets the state of {_kind(target)}")
        # NumPy's own state: version, shape, data type, order, items.
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[4], _List):
            _refuse("its array has a state that an object array never has")
        items = state[4]
        if items.numbers:
            _refuse("its rows are single numbers, not lists of whole numbers")
        target.rows = items.rows
