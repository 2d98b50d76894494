"""`--detach` starts an engine with every option that it was given, and with none that it was not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.search import detached
from tests.fakes import fake_search

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, Any]]]:
    """What was started, in place of starting it."""
    calls: list[tuple[list[str], dict[str, Any]]] = []

    def start(arguments: Sequence[str], sessions: Path, identifier: str, **options: Any) -> int:
        calls.append(([*arguments], {"sessions": sessions, "identifier": identifier, **options}))
        return 0

    monkeypatch.setattr(detached, "start_detached", start)
    return calls


COMMON = ["--workers", "2", "--devices", "cpu", "--data-dir", "data", "--notify", "true", "--deadline", "2h"]
COMMON_VALUES = {"workers": 2, "devices": ["cpu"], "data_dir": Path("data"), "notify": "true"}
NO_VALUES = dict.fromkeys(COMMON_VALUES)


def test_run_hands_on_what_it_was_given(
    tmp_path: Path,
    surroundings: Path,
    started: list[tuple[list[str], dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    spec = tmp_path / "spec.toml"
    spec.write_text('dataset = "sample"\nspace = { epochs = 1 }\n')
    where = ["--sessions", str(surroundings), "--detach"]
    own = ["--name", "a", "--set", "folds=2", "--set", "space.epochs=[1,2]", "--allow-large", "--fresh"]
    assert main(["run", str(spec), *where, *own, "--group-readable", *COMMON]) == 0
    assert main(["run", str(spec), *where, "--name", "b"]) == 0
    assert capsys.readouterr().out == "a\nb\n"
    (arguments, values), (plain, plain_values) = started
    assert arguments == ["run", str(spec), *own, "--group-readable", "--deadline", "2h"]
    assert values == {"sessions": surroundings, "identifier": "a", **COMMON_VALUES}
    assert plain == ["run", str(spec), "--name", "b"]
    assert plain_values == {"sessions": surroundings, "identifier": "b", **NO_VALUES}


def test_resume_hands_on_what_it_was_given(surroundings: Path, started: list[tuple[list[str], dict[str, Any]]]) -> None:
    search = fake_search(surroundings, {"epochs": [1, 2]}, name="a")
    events = search.run()
    next(events)
    search.interrupt()
    list(events)
    search.wait()
    own = ["--take-over", "elsewhere", "--accept-versions", "--time-limit", "0.5", "--deadline", "2h"]
    common = COMMON[: COMMON.index("--deadline")]
    assert main(["resume", "a", "--sessions", str(surroundings), "--detach", *own, *common]) == 0
    assert main(["resume", "a", "--sessions", str(surroundings), "--detach", "--time-limit", "0"]) == 0
    (arguments, values), (plain, plain_values) = started
    assert arguments == ["resume", "a", *own]
    assert values == {"sessions": surroundings, "identifier": "a", **COMMON_VALUES}
    assert plain == ["resume", "a", "--time-limit", "0.0"]  # for the engine to refuse
    assert plain_values == {"sessions": surroundings, "identifier": "a", **NO_VALUES}
