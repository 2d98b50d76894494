"""Whatever is typed, pasted, loaded or left as a request ends in an answer or in one line, soon and in little memory.

Each test tries a fixed number of inputs; hypothesis makes those that fail smaller and prints them. An input may take
five seconds of the processor, and where the system can bound it, a gigabyte of memory more than there was.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.analysis.forecast.deadline import Deadline
from engine.cli.main import main
from engine.errors import FoldwatchError, SpecError, UsageError
from engine.plan.plan import make_plan
from engine.search.change_words import read_change
from engine.search.changes import in_full, step_of
from engine.session import events
from engine.session import requests as control
from engine.session.state import SearchState
from engine.spec.catalogue import HYPERPARAMETERS, OPTIMIZERS, SCHEDULES
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from engine.spec.strategy_options import STRATEGIES
from tui.new_search.form_study import study
from tui.results.row_filter import FilterError, compile_filter
from tui.spec_text.form import GENERAL, HYPERPARAMETER_NAMES, Form, field_of_space
from tui.spec_text.value_syntax import nudged, numbers_in

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow
fuzz = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_SECONDS = 5.0
_BYTES = 1 << 30

WORDS = [
    *HYPERPARAMETERS,
    *OPTIMIZERS,
    *SCHEDULES,
    *STRATEGIES,
    *SearchSpec.__struct_fields__,
    "all",
    "none",
    "choices",
]
WORDS += ["momentum", "clipnorm", "nesterov", "decay_epochs", "decay_rate", "initial_learning_rate", "values", "name"]
WORDS += ["schedule", "low", "high", "log", "int", "keep", "patience", "over", "rows", "epochs", "least", "first"]
names = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
numbers = st.one_of(
    st.integers(-3, 600),
    st.sampled_from([0, 1, 10**9, 2**63, 10**400, -(10**400)]),
    st.floats(),
    st.sampled_from([1e-300, 1e308, 0.1, 0.5, 1.0]),
)
singles = st.one_of(st.none(), st.booleans(), numbers, names, st.just("x" * 30_000))
deep = st.builds(lambda depth, kind: _nested(depth, kind), st.sampled_from([5, 15, 17, 900]), st.booleans())
long = st.builds(lambda count, value: [value] * count, st.sampled_from([30, 400, 3000]), numbers)
values = st.recursive(
    st.one_of(singles, deep, long, st.lists(st.integers(1, 600), max_size=60)),
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
optimizers = st.builds(
    lambda name, arguments: {"name": name, **arguments},
    st.sampled_from(list(OPTIMIZERS)),
    st.dictionaries(st.sampled_from(WORDS), values, max_size=4),
)
spaces = st.dictionaries(
    st.one_of(st.sampled_from([*HYPERPARAMETERS, "optimizer", "learning_rate"]), names),
    st.one_of(values, optimizers, st.lists(optimizers, max_size=3)),
    max_size=6,
)
specs = st.builds(
    lambda general, space: {"dataset": "sample", **general, "space": space},
    st.dictionaries(st.one_of(st.sampled_from(SearchSpec.__struct_fields__), names), values, max_size=3),
    st.one_of(spaces, st.lists(spaces, max_size=3)),
)
# Texts that look like something: pieces of every syntax, in any order.
PIECES = [
    *"[](){}.,=|\"'#<>~!@+-*\\ \n\t0159",
    "..",
    "1e999",
    "0x",
    '"""',
    "'''",
    "[[",
    "]]",
    "\x1b[31m",
    "\u202e",
    "é",
    "#3",
]
texts = st.one_of(
    st.lists(
        st.one_of(st.sampled_from([*PIECES, *WORDS, "optimizer=", "mean>", "sgd(", "1e-4..1e-1"]), st.text(max_size=3))
    ).map("".join),
    st.builds(
        lambda piece, count: piece * count,
        st.sampled_from([*PIECES, "a.", "[{a=", "a ", "sgd("]),
        st.sampled_from([17, 900, 7000]),
    ),
)
COLUMNS: dict[str, list[Any]] = {
    "combination": [0, 1],
    "optimizer": ["adam", None],
    "mean": [0.5, None],
    "fold 1": [0.5, None],
    "l2": [0.0, 1e-5],
}


def _nested(depth: int, in_tables: bool) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if in_tables else [value]
    return value


@pytest.fixture(autouse=True)
def _bounded_memory() -> Iterator[None]:
    """A gigabyte more than there is; only Linux says how much that is."""
    if sys.platform != "linux":
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (there + _BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def _soon() -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < _SECONDS


def _one_line(error: Exception) -> None:
    assert len(str(error).encode("utf-8", "replace")) < 4000


def _command(*arguments: str) -> int:
    """Its exit code, which is one that is documented; a refusal is one line on standard error, and nothing else."""
    out, err = io.StringIO(), io.StringIO()
    with _soon(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(arguments))
    assert code in (0, 2)
    if code:
        assert out.getvalue() == ""
        assert err.getvalue().count("\n") == 1
        assert err.getvalue().startswith("foldwatch: ")
    return code


@fuzz
@given(specs)
def test_values_of_a_spec(spec: dict[str, Any]) -> None:
    with _soon():
        try:
            read = SearchSpec.from_values(spec)
            plan = make_plan(read, combinations_of(read))
        except FoldwatchError as error:
            _one_line(error)
        else:
            assert 0 < len(plan.combinations) <= 100_000
            assert SearchSpec.from_values(read.to_values()) == read


@fuzz
@given(st.one_of(texts, st.builds("dataset = 'sample'\n{}\n[space]\n{}".format, texts, texts)), st.binary(max_size=40))
def test_text_of_a_spec(text: str, bytes_after: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.toml")
        path.write_bytes(text.encode("utf-8", "surrogatepass") + bytes_after)
        _command("plan", str(path))
        assert [one.name for one in Path(folder).iterdir()] == ["spec.toml"]


@fuzz
@given(
    st.one_of(texts, st.builds("{}={}".format, st.sampled_from([*WORDS, *(f"space.{word}" for word in WORDS)]), texts))
)
def test_an_assignment(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "spec.toml")
        path.write_text('dataset = "sample"\n[space]\n')
        _command("plan", str(path), f"--set={text}")


@fuzz
@given(texts)
def test_a_filter(text: str) -> None:
    with _soon():
        try:
            keeps = compile_filter(text, COLUMNS)
        except FilterError as error:
            _one_line(error)
        else:
            assert keeps is None or keeps(0) in (True, False)


fields = st.sampled_from([*GENERAL, *(field_of_space(0, name) for name in HYPERPARAMETER_NAMES)])
tables = st.builds(
    lambda head, arguments: f"{head}({', '.join(f'{name}={one}' for name, one in arguments.items())})",
    st.sampled_from([*OPTIMIZERS, *SCHEDULES]),
    st.dictionaries(
        st.sampled_from(WORDS), st.sampled_from(["0.5", "1|2|3", "|".join(["0.1"] * 30), "[1, 2]", "0..1"])
    ),
)


@fuzz
@given(st.dictionaries(fields, st.one_of(texts, tables), max_size=4))
def test_what_is_typed_into_the_form(typed: dict[str, str]) -> None:
    form = Form()
    for name, text in typed.items():
        form = form.with_text(name, text)
    with _soon():
        found = study(form, 0, None)
        assert all("\n" not in problem or "\n" in "".join(typed.values()) for problem in found.problems.values())
        for text in typed.values():
            for place in numbers_in(text)[:3]:
                nudged(text, place, 1), nudged(text, place, -1)


@fuzz
@given(texts, st.sampled_from(["", "0001-01-01", "9999-12-31", "18:00", "20m", "1e999s"]))
def test_a_deadline(text: str, beginning: str) -> None:
    with _soon():
        try:
            deadline = Deadline.read(beginning + text, datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC))
        except UsageError as error:
            _one_line(error)
        else:
            assert deadline is None or deadline.at is not None or deadline.seconds > 0


def _state(spec: SearchSpec) -> SearchState:
    state = SearchState()
    state.apply(
        events.SearchStarted(
            time=1.0, session="a", segment=1, dataset="sample", synthetic=True, rows=100, classes=4, splits=spec.splits,
            scoring=["accuracy"], workers=1, trainings=1, cost=1.0, host="", pid=1,
        )
    )  # fmt: skip
    plan = make_plan(spec, combinations_of(spec))
    state.apply(events.CombinationsAdded(time=1.0, combinations=list(plan.combinations)))
    return state


SPEC = SearchSpec.from_values({"dataset": "sample", "space": {"epochs": [2, 4], "hidden_units": [8, 16]}})
STATE = _state(SPEC)


def _steer(request: Any) -> None:
    """What an engine does with a request that changes the search, before it does it."""
    try:
        step = step_of(request, SPEC, STATE)
    except FoldwatchError as error:
        _one_line(error)
    else:
        assert in_full(step, STATE)
        assert len(step.added) <= 100_000


@fuzz
@given(
    st.sampled_from(["add", "drop", "clone #1", "clone #99", "first", "undo", ""]),
    st.one_of(texts, st.builds("{}={}".format, st.sampled_from(WORDS), texts)),
)
def test_what_is_typed_to_change_a_search(word: str, text: str) -> None:
    with _soon():
        try:
            change = read_change(f"{word} {text}", 0)
        except (UsageError, SpecError) as error:
            _one_line(error)
        else:
            _steer(change.request)


requests = st.one_of(
    st.builds(lambda found: {"type": "AddValues", "values": found}, spaces),
    st.builds(lambda found: {"type": "Clone", "combination": 0, "changes": found}, spaces),
    st.builds(lambda name, value: {"type": "DropValues", "parameter": name, "value": value}, names, values),
    st.builds(lambda at, seconds: {"type": "SetDeadline", "at": at, "seconds": seconds}, numbers, numbers),
    st.builds(lambda kind, found: {"type": kind, **found}, st.sampled_from(["Save", "Skip", "Retry"]), spaces),
    values,
).map(lambda request: json.dumps(request).encode())


@fuzz
@given(st.one_of(requests, texts.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=60)))
def test_a_request(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, _soon():
        folder = Path(name, "control")
        folder.mkdir()
        (folder / "1.json").write_bytes(content)
        taken, refused = control.take_requests(Path(name))
        assert len(taken) + len(refused) == 1
        assert not list(folder.iterdir())
        for request in taken:
            if isinstance(request, control.SetDeadline):
                Deadline.of(request)
            elif not isinstance(request, control.Save | control.Skip | control.Retry):
                _steer(request)
            assert msgspec.json.decode(msgspec.json.encode(request))
