"""Whatever can be large is counted before it is made, and whatever can be deep is measured before it is parsed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.analysis.forecast.deadline import Deadline
from engine.cli.main import main
from engine.errors import SpecError, UsageError
from engine.plan.plan import make_plan
from engine.search import changes as steering
from engine.search.changes import step_of
from engine.search.search import Search
from engine.search.strategies import strategy_of
from engine.session import requests
from engine.session.state import SearchState
from engine.spec import bounds
from engine.spec import space as axes
from engine.spec.bounds import DEEPEST, check_toml, check_value
from engine.spec.combinations import combinations_of
from engine.spec.search_size import search_size
from engine.spec.spec import SearchSpec

SPACE: dict[str, Any] = {"hidden_units": [8, 16, 24], "batch_size": [32, 64], "l2": [0.0, 1e-4]}
HUNDRED = list(range(1, 101))
DRAWN = {"learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}
THIRTY = [round(0.01 * step, 2) for step in range(1, 31)]
TOO_LARGE: dict[str, tuple[dict[str, Any], str, str]] = {
    "a grid": ({"space": {"epochs": HUNDRED, "batch_size": HUNDRED, "hidden_units": HUNDRED}}, "space", "1,000,000"),
    "spaces": ({"space": [{"epochs": HUNDRED, "hidden_units": HUNDRED}] * 11}, "space", "110,000 combinations"),
    "one table": (
        {"space": {"optimizer": {"name": "sgd", "momentum": [i / 9999 for i in range(9999)], "clipnorm": HUNDRED}}},
        "space.optimizer",
        "999,900",
    ),
    "a table of four": (
        {
            "space": {
                "optimizer": [{"name": "adam", **dict.fromkeys(("beta_1", "beta_2", "epsilon", "clipnorm"), THIRTY)}]
            }
        },
        "space.optimizer",
        "810,000",
    ),
    "a schedule": (
        {
            "space": {
                "learning_rate": {
                    "schedule": "PolynomialDecay",
                    "initial_learning_rate": THIRTY,
                    "decay_epochs": HUNDRED,
                    "power": HUNDRED,
                }
            }
        },
        "space.learning_rate",
        "300,000",
    ),
    "draws": ({"strategy": {"random": 1_000_000}, "space": DRAWN}, "strategy", "1,000,000 combinations"),
    "questions": ({"strategy": {"bayes": 500_000}, "space": DRAWN}, "strategy", "500,000 combinations"),
    "hyperband": ({"strategy": {"hyperband": 100_001}, "space": DRAWN}, "strategy", "100,001 combinations"),
    "draws of many options": (
        {
            "strategy": {"random": 5},
            "space": {
                "optimizer": {"name": "adam", **dict.fromkeys(("beta_1", "beta_2", "epsilon", "clipnorm"), THIRTY)}
            },
        },
        "space.optimizer",
        "810,000",
    ),
    "splits": ({"folds": 1000, "repeats": 1000, "space": {"epochs": [1, 2, 3]}}, "space", "3,000,000 fits"),
    "stages": (
        {
            "stage": [{"subsample": 0.5, "keep": 60_000}, {}],
            "space": {"hidden_units": list(range(1, 601)), "batch_size": HUNDRED},
        },
        "space",
        "120,000 combinations",
    ),
}
COUNTED: dict[str, dict[str, Any]] = {
    "grid": {},
    "spaces": {"space": [SPACE, {"epochs": [2, 5]}]},
    "random": {"strategy": {"random": 7}},
    "random, more than there are": {"strategy": {"random": 70}},
    "distributions": {"strategy": {"random": 70}, "space": DRAWN},
    "halving": {"strategy": "halving"},
    "halving over rows": {"strategy": {"halving": "grid", "over": "rows", "least": 500}},
    "halving of draws over rows": {"strategy": {"halving": 9, "over": "rows", "least": 500}},
    "hyperband": {"strategy": {"hyperband": 8}},
    "racing": {"strategy": "racing"},
    "stages": {"stage": [{"subsample": 0.1, "keep": 5}, {"subsample": 0.5, "keep": 9}, {}]},
    "stages of draws": {"strategy": {"random": 6}, "stage": [{"subsample": 0.1, "keep": 50}, {}]},
    "repeats": {"folds": 4, "repeats": 3},
    "equal effects": {"space": {"optimizer": ["rmsprop", {"name": "rmsprop", "rho": 0.9}]}},
}


def _values(given: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": "reuters", "space": SPACE, **given}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_search_that_is_too_large_is_refused_with_its_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    values, place, number = TOO_LARGE[name]

    def make(self: axes.Product) -> None:
        # Plain values are made to be looked at, one each; no product is.
        raise AssertionError

    if place != "space" and place != "strategy":
        monkeypatch.setattr(axes.Product, "options", make)
    with pytest.raises(SpecError, match=number) as refused:
        SearchSpec.from_values(_values(values))
    assert refused.value.place == place
    assert "\n" not in str(refused.value)
    with pytest.raises(SpecError, match=number):
        Search(**_values(values))


@pytest.mark.parametrize("name", COUNTED)
def test_the_size_is_that_of_what_is_made(name: str) -> None:
    spec = SearchSpec.from_values(_values(COUNTED[name]))
    combinations = combinations_of(spec)
    plan = make_plan(spec, combinations)
    to_come = strategy_of(spec, len(combinations), combinations[0]).to_come(len(combinations))
    size = search_size(spec.spaces, spec.choice, spec.stages, spec.splits)
    assert size == (len(combinations) + len(to_come), plan.fits + len(to_come) * spec.splits)


def test_what_is_large_is_allowed_where_somebody_says_so(tmp_path: Path) -> None:
    space = {"hidden_units": list(range(1, 501)), "batch_size": list(range(1, 301))}
    with pytest.raises(SpecError, match=r"150,000 combinations.*at most 100,000.*300,000 with --allow-large"):
        SearchSpec.from_values(_values({"space": space}))
    spec = SearchSpec.from_values(_values({"space": space, "allow_large": True}))
    # It is recorded, and comes back from a file.
    assert SearchSpec.from_values(spec.to_values()) == SearchSpec.from_toml(spec.to_toml()) == spec
    with pytest.raises(SpecError, match=r"301,000 combinations.*at most 300,000 combinations$"):
        SearchSpec.from_values(_values({"space": {**space, "batch_size": list(range(1, 603))}, "allow_large": True}))
    with pytest.raises(SpecError, match="allow_large: 'yes'"):
        SearchSpec.from_values(_values({"allow_large": "yes"}))


def test_the_commands_take_allow_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bounds, "MOST_COMBINATIONS", 5)
    spec = tmp_path / "spec.toml"
    spec.write_text('dataset = "sample"\n[space]\nhidden_units = [8, 16, 24]\nbatch_size = [32, 64]\n')
    assert main(["plan", str(spec)]) == main(["run", str(spec), "--sessions", str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert all("a search of 6 combinations is not accepted; accepted: at most 5" in line for line in said)
    assert not (tmp_path / "none").exists()
    assert main(["plan", str(spec), "--allow-large"]) == 0


def test_a_session_that_is_too_large_for_a_new_search_is_still_read() -> None:
    values = _values({"space": {"hidden_units": list(range(1, 501)), "batch_size": list(range(1, 301))}})
    assert len(combinations_of(SearchSpec.recorded(values))) == 150_000
    values["space"]["epochs"] = HUNDRED
    with pytest.raises(SpecError, match="15,000,000 combinations"):
        combinations_of(SearchSpec.recorded(values))


def test_what_somebody_adds_is_counted_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SearchSpec.from_values(_values({}))
    plan = make_plan(spec, combinations_of(spec))
    state = _state_of(plan, spec)
    monkeypatch.setattr(bounds, "MOST_COMBINATIONS", 13)
    add = requests.AddValues(values={"batch_size": [128]})
    with pytest.raises(SpecError, match=r"18 combinations"):
        step_of(add, spec, state)
    assert len(step_of(requests.AddValues(values=add.values, allow_large=True), spec, state).added) == 6
    clone = requests.Clone(combination=0, changes={"batch_size": 128})
    assert len(step_of(clone, spec, state).added) == 1
    monkeypatch.setattr(bounds, "MOST_COMBINATIONS", 12)
    with pytest.raises(SpecError, match=r"13 combinations"):
        step_of(clone, spec, state)
    monkeypatch.undo()
    monkeypatch.setattr(steering, "grid", None)  # none of so many is made
    with pytest.raises(SpecError, match=r"50,\d\d\d,\d\d\d"):
        step_of(
            requests.AddValues(values={"epochs": list(range(1, 2001)), "dropout": [i / 3000 for i in range(2100)]}),
            spec,
            state,
        )


def _state_of(plan: Any, spec: SearchSpec) -> SearchState:
    from engine.session.events import CombinationsAdded, SearchStarted

    state = SearchState()
    state.apply(
        SearchStarted(
            time=1.0, session="a", segment=1, dataset="reuters", synthetic=False, rows=8982, classes=46,
            splits=spec.splits, scoring=["accuracy"], workers=1, trainings=1, cost=1.0, host="", pid=1,
        )
    )  # fmt: skip
    state.apply(CombinationsAdded(time=1.0, combinations=list(plan.combinations)))
    return state


DEEP = 600
DEEP_SPECS = {
    "dotted names": f"{'.'.join(['a'] * DEEP)} = 1",
    "half a million of them": f"{'a.' * 300_000}a = 1",
    "a table": f"[{'.'.join(['a'] * DEEP)}]\nb = 1",
    "tables of tables": f"[[{'.'.join(['a'] * DEEP)}]]\nb = 1",
    "quoted names": ".".join(['"a"'] * DEEP) + " = 1",
    "lists": f"a = {'[' * DEEP}{']' * DEEP}",
    "inline tables": f"a = {'{ b = ' * DEEP}1{' }' * DEEP}",
    "lists in tables": f"a = {'[{ b = ' * DEEP}1{' }]' * DEEP}",
    "dots in an inline table": f"a = {{ {'.'.join(['a'] * DEEP)} = 1 }}",
    "blanks around dots": f"{' . '.join(['a'] * DEEP)} = 1",
    "behind a text that is not over": f'a = "\nb = {"[" * DEEP}',
}


@pytest.mark.parametrize("name", DEEP_SPECS)
def test_a_deep_spec_is_refused_in_one_line(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "deep.toml"
    spec.write_text(f'dataset = "sample"\n{DEEP_SPECS[name]}\n')
    assert main(["plan", str(spec)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"foldwatch: {spec}: ")
    assert ": line " in said[0]


@pytest.mark.parametrize(
    "text",
    [
        'a = "[[[[[[[[[[[[[[[[[[[[[[[[[[[["',
        "a = '[[[[[[[[[[[[[[[[[[[[[[[[[[[['",
        'a = """[[[[[[[[[[[[\n[[[[[[[[[[[["[[""[["""',
        "a = '''[[[[[[[[[[[[\n[[[[[[[[[['[[''[['''",
        r'a = "\"[[[[[[[[[[[[[[[[[[[[[[[["',
        "# [[[[[[[[[[[[[[[[[[[[[[[[[[[[\na = 1",
        'a = "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r"',
        f"a = [{', '.join(['0.1'] * 100)}]",
        f"a = [{', '.join(['[1]'] * 100)}]",
        f"{'.'.join(['a'] * DEEPEST)} = 1",
    ],
)  # fmt: skip
def test_what_only_looks_deep_is_taken(text: str) -> None:
    import tomllib

    check_toml(text, "spec")
    assert tomllib.loads(text)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (f"space.{'.'.join(['a'] * 1000)}=1", "2,005 characters"),
        (f"{'.'.join(['a'] * 90)}=1", "name of at most"),
        (f"{'a' * 1000}=1", "1,000 characters"),
        (f"space.epochs={'[' * 1000}", "16"),
        (f"space.epochs={'[' * 17}1{']' * 17}", "16"),
        ("space.epochs=0x" + "f" * 1000, "4,000 bits"),
        ("space.epochs=" + "9" * 200_000, "characters"),
        ("space.epochs=1e999", "inf"),
        ("space.activation=" + "x" * 20_000, "20,000 characters"),
    ],
)
def test_an_assignment_has_its_bounds(
    override: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('dataset = "sample"\n[space]\n')
    assert main(["plan", str(spec), "--set", override]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert len(lines[0]) < 1200


def test_values_of_a_call_have_their_bounds() -> None:
    endless: list[Any] = []
    endless.append(endless)
    nested: dict[str, Any] = {}
    for _ in range(5000):
        nested = {"a": nested}
    for value, said in (
        (endless, "in each other"),
        (nested, "in each other"),
        (range(10**12), "1,000,000,000,0"),
        (np.zeros((10_000, 1_000)), "10,000,0"),
        (10**5000, "bits"),
        ("x" * 100_000, "100,000 characters"),
    ):
        with pytest.raises(SpecError, match=said):
            Search(**_values({"space": {"epochs": value}}))
    check_value({"space": [{"learning_rate": [{"values": [[0.1, 0.01], [0.2, 0.02]]}]}], "scoring": ("a", 1, None)}, "")
    check_value(np.float64(0.5), "")


NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31", "9999-12-31T23:59:59-12:00", "1970-01-01",
        "2036-12-31", "2050-01-01", "999999999d", "9" * 400 + "s", "1e999s", "inf", "nan", "0s", "24:00", "12:60",
        "1" * 100_000, "2026-03-01T11:59:59+00:00", "", "²0m",
    ],
)  # fmt: skip
def test_a_deadline_that_no_clock_shows_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"deadline: .* is not accepted") as refused:
        Deadline.read(text, NOON)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    "content",
    [
        b'{"type":"AddValues","values":{"epochs":' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
        b'{"type":"Clone","combination":0,"changes":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001,
        b'{"type":"SetDeadline","at":1e308}',
        b'{"type":"SetDeadline","at":-1e18}',
        b'{"type":"SetDeadline","seconds":1e300}',
    ],
)
def test_a_request_has_its_bounds(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "control"
    folder.mkdir()
    (folder / "1.json").write_bytes(content)
    taken, refused = requests.take_requests(tmp_path)
    assert not taken
    assert len(refused) == 1
    assert "\n" not in refused[0]
    assert not list(folder.iterdir())


def test_a_request_that_an_engine_would_not_read_is_refused_where_it_is_made(tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    with pytest.raises(UsageError, match="at most 65,536 bytes"):
        requests.write_request(tmp_path, requests.AddValues(values={"epochs": list(range(20_000))}))
    assert not list((tmp_path / "control").iterdir())
