"""Light commands import nothing heavy, and a user's own files cannot take the place of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"tensorflow", "keras", "scikeras", "numba", "pandas", "sklearn", "scipy", "numpy", "textual", "rich", "optuna"}
SPEC = """
dataset = "reuters"
scoring = ["accuracy", "f1_macro"]
[space]
epochs = [5, 10, 20]
batch_size = [128, 512]
optimizer = ["rmsprop", { name = "sgd", momentum = [0.8, 0.9] }]
learning_rate = [0.001, { schedule = "CosineDecay", initial_learning_rate = 0.1, decay_epochs = "all" }]
"""
PLANNED = """
from pathlib import Path
from engine.plan.plan import make_plan
from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
spec = SearchSpec.read(Path("spec.toml"))
assert make_plan(spec, combinations_of(spec)).fits == 108
"""


def _imported(code: str, folder: Path) -> set[str]:
    """The packages that a fresh interpreter has after this code."""
    (folder / "spec.toml").write_text(SPEC)
    told = "import json, sys; json.dump(sorted({name.partition('.')[0] for name in sys.modules}), sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", f"{code}\n{told}"], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1]))


def _command(*arguments: str) -> str:
    return f"from engine.cli.main import main\nassert main({list(arguments)!r}) == 0"


@pytest.mark.parametrize(
    "code",
    [
        "import engine",
        "from engine import SearchSpec, open_session, list_sessions",
        PLANNED,
        _command("plan", "spec.toml"),
        _command("list", "--sessions", "nowhere"),
        "from engine.session.events import from_json; from engine.session.state import SearchState",
    ],
    ids=["import", "names", "plan a spec", "command plan", "command list", "follow"],
)
def test_nothing_heavy_is_imported(code: str, tmp_path: Path) -> None:
    assert _imported(code, tmp_path) & HEAVY == set()


@pytest.mark.slow
def test_a_list_of_real_sessions_imports_nothing_heavy(surroundings: Path, tmp_path: Path) -> None:
    from tests.fakes import fake_search

    list(fake_search(surroundings, {"epochs": 1}).run())
    listed = _imported(_command("list", "--sessions", str(surroundings)), tmp_path)
    assert listed & HEAVY == set()
    shown = _imported(_command("show", "sample-01", "--sessions", str(surroundings)), tmp_path)
    assert shown & HEAVY <= {"numpy"}


@pytest.mark.slow
def test_only_a_search_that_asks_optuna_imports_it(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    planned = _command("plan", "spec.toml", "--set", "strategy={ bayes = 20 }")
    assert "optuna" not in _imported(f"{planned}\nimport tui.app, tui.new_search.spec_summary", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["engine.py", "json.py", "typing.py", "numpy.py"])
def test_a_users_files_do_not_shadow_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("raise SystemExit(99)")
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "list", "--sessions", "nowhere"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import engine

    with pytest.raises(AttributeError, match="nothing_such"):
        _ = engine.nothing_such
