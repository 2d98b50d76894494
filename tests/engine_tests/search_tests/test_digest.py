"""A task is known by what decides it: in every process alike, and different as soon as any code behind it is edited."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine.search.sklearn.digest import DEEPEST, Digester, UndigestibleError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]

HELPERS = """
def inner(x):
    return x * 2

def middle(x):
    return inner(x) + 1

def outer(x):
    return middle(x)

def unrelated(x):
    return 3
"""

SCRIPT = '''
import functools
import sys

import helpers
from engine.search.sklearn.digest import Digester

WORDS = {"a", "bb", "ccc", "dddd", "eeeee"}

class Model:
    """What it is."""

    names = {"x", "yy", "zzz"}

    def __init__(self, size=3):
        self.size = size

    def build(self, rows):
        """What it does."""
        if rows in {"q", "rr", "sss"}:
            return helpers.outer(rows)
        return factorial(3)

def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)

def even(n):
    return n == 0 or odd(n - 1)

def odd(n):
    return n != 0 and even(n - 1)

def uses_words(x):
    return x in WORDS

def imports_late(x):
    import helpers as h
    return h.outer(x)

def imports_unloaded(x):
    from unloaded import something
    return something(x)

values = {
    "late": imports_late, "unloaded": imports_unloaded,
    "model": Model(), "class": Model, "function": Model.build, "recursive": factorial, "circle": even,
    "words": uses_words, "set": {1: {"a", "b", "c"}}, "lambda": lambda x: helpers.outer(x) + 1,
    "partial": functools.partial(helpers.outer, x=1), "closure": (lambda size: lambda: size)(3),
}
for name, value in values.items():
    print(name, Digester().of(value))
'''


def _digests(
    folder: Path, *, seed: int = 0, script: str = SCRIPT, helpers: str = HELPERS, unloaded: str = HELPERS
) -> dict[str, str]:
    (folder / "script.py").write_text(script)
    (folder / "helpers.py").write_text(helpers)
    (folder / "unloaded.py").write_text(unloaded)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split(" ") for line in done.stdout.splitlines())


def _differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    assert one.keys() == other.keys()
    return {name for name in one if one[name] != other[name]}


def test_every_hash_seed_gives_the_same(tmp_path: Path) -> None:
    assert _differing(_digests(tmp_path, seed=1), _digests(tmp_path, seed=2)) == set()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def factorial", "# A comment.\n\n\ndef factorial"),
        ('"""What it does."""', '"""What it really does."""'),
        ('        """What it does."""\n', ""),
    ],
    ids=["comment and lines", "docstring", "no docstring"],
)
def test_what_does_not_run_does_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert _differing(_digests(tmp_path), _digests(tmp_path, script=SCRIPT.replace(old, new))) == set()


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        ("x * 2", "x * 3", {"model", "class", "function", "lambda", "partial", "late"}),
        ("return 3", "return 4", set()),
    ],
    ids=["helper of a helper", "unrelated function"],
)
def test_an_edited_module_of_the_user_counts_where_it_is_used(
    tmp_path: Path, old: str, new: str, concerned: set[str]
) -> None:
    assert _differing(_digests(tmp_path), _digests(tmp_path, helpers=HELPERS.replace(old, new))) == concerned


def test_an_edited_module_that_is_imported_when_a_function_runs_counts(tmp_path: Path) -> None:
    edited = _digests(tmp_path, unloaded=HELPERS.replace("x * 2", "x * 3"))
    assert _differing(_digests(tmp_path), edited) == {"unloaded"}


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        ("n < 2", "n < 3", {"model", "class", "function", "recursive"}),
        ('"eeeee"', '"eeeef"', {"words"}),
        ("n != 0", "n != 1", {"circle"}),
        ('"zzz"', '"zzy"', {"model", "class"}),
        ("size=3", "size=4", {"model", "class"}),
        ("(3),", "(4),", {"closure"}),
    ],
    ids=["recursive function", "global", "circle", "class attribute", "default", "closure"],
)
def test_an_edit_of_the_script_counts_where_it_is_used(tmp_path: Path, old: str, new: str, concerned: set[str]) -> None:
    assert _differing(_digests(tmp_path), _digests(tmp_path, script=SCRIPT.replace(old, new))) == concerned


def _unlike() -> list[Any]:
    import pandas as pd
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score, make_scorer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.arange(12.0).reshape(3, 4)
    return [
        None, 0, 1, True, 1.0, "1", b"1", (1,), [1], {1}, {1: 1}, {"a": 1}, {"a": 2}, -1, 1 << 70, float("nan"), 1j,
        rows, rows.T, rows.astype(np.float32), rows[::2], rows[:2], np.array([{"a"}, None], object), np.float32(1),
        np.dtype("f4"), np.random.RandomState(1), np.random.RandomState(2), np.random.default_rng(1),
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}), pd.DataFrame({"a": [1, 2], "c": ["x", None]}),
        pd.Series([1, 2]), pd.Series([1, 2], index=[1, 2]), pd.Categorical(["u", "v"]), pd.Index(["u", "v"]),
        sparse.csr_matrix(rows), sparse.csc_matrix(rows), sparse.csr_matrix(rows > 1),
        LogisticRegression(), LogisticRegression(C=0.5), make_pipeline(StandardScaler(), LogisticRegression()),
        make_scorer(f1_score, average="macro"), make_scorer(f1_score, average="micro"), f1_score, len, np.add, np.mean,
        LogisticRegression, np, "".join, [].append,
    ]  # fmt: skip


def test_unlike_values_have_unlike_digests_and_equal_ones_the_same() -> None:
    digests = [Digester().of(value) for value in _unlike()]
    assert len(set(digests)) == len(digests)
    assert digests == [Digester().of(value) for value in _unlike()]


def test_what_is_met_before_makes_no_difference() -> None:
    digester = Digester()
    everything = [digester.of(value) for value in _unlike()]
    assert everything == [Digester().of(value) for value in _unlike()]


def test_an_array_that_was_changed_in_place_counts_anew_once_forgotten() -> None:
    rows, digester = np.zeros(10), Digester()
    before = digester.of(rows)
    rows[3] = 1
    digester.forget()
    assert digester.of(rows) != before
    assert digester.of(rows) == Digester().of(rows)


def test_values_that_hold_themselves_end() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [1]
    other.append(other)
    assert Digester().of(one) == Digester().of(other) != Digester().of([1, [1]])


def _deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "make",
    [
        lambda: _deep(DEEPEST + 1),
        lambda: Path(__file__).open(),  # noqa: SIM115
        lambda: (number for number in [1]),
    ],
    ids=["too deep", "an open file", "a generator"],
)
def test_what_cannot_be_told_from_others_is_refused(make: Callable[[], Any]) -> None:
    value = make()
    with pytest.raises(UndigestibleError):
        Digester().of(value)
    if hasattr(value, "close"):
        value.close()


@pytest.mark.keras
def test_keras_objects_are_their_configuration_and_their_weights() -> None:
    import keras

    def model(units: int) -> Any:
        keras.utils.clear_session()  # names are numbered
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(units)])

    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    assert Digester().of(model(2)) == Digester().of(model(2)) != Digester().of(model(3))
    assert Digester().of(keras.optimizers.SGD(schedule)) == Digester().of(keras.optimizers.SGD(schedule))
    assert Digester().of(keras.optimizers.SGD(schedule)) != Digester().of(keras.optimizers.SGD(0.1))
    changed = model(2)
    changed.set_weights([weight + 1 for weight in changed.get_weights()])
    assert Digester().of(changed) != Digester().of(model(2))
