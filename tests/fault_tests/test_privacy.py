"""Nobody gets in: nothing of the user's surroundings is written down, no port is open, nothing read is ever run."""

from __future__ import annotations

import ast
import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from engine.session.events import WorkerStarted
from tests.fakes import Fault, fake_search, told

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CANARY = "a canary in the environment"


def test_nothing_of_the_environment_is_written_down_and_no_port_is_open(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", CANARY)
    for name, value in told(Fault("raise", units=8), Fault("exit", units=16, epoch=2)).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 16, 24]})
    listening: list[object] = []
    before = set(psutil.Process().net_connections())
    for event in search.run():
        listening += [one for one in psutil.Process().net_connections() if one not in before]
        if isinstance(event, WorkerStarted):
            with contextlib.suppress(psutil.NoSuchProcess):  # some end at once
                listening += [one for one in psutil.Process(event.pid).net_connections() if one not in before]
    assert listening == []
    assert search.state.fits_failed > 0
    written = [path for path in surroundings.rglob("*") if path.is_file()]
    assert len(written) > 5
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []


def _nodes() -> Iterator[tuple[Path, ast.Call | ast.Import]]:
    """Every call and every plain import in the program."""
    for folder in ("engine", "tui"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call | ast.Import):
                    yield path.relative_to(ROOT), node


def _name(call: ast.Call) -> str:
    """The last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _of(call: ast.Call) -> str:
    """What a method that is called belongs to, where that is a name."""
    return getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""


def _says(call: ast.Call, keyword: str, value: bool) -> bool:
    return any(
        one.arg == keyword and isinstance(one.value, ast.Constant) and one.value.value is value for one in call.keywords
    )


def test_what_is_read_is_never_run() -> None:
    """No pickle but in the reader that runs none of it, no eval, no YAML; arrays and models in their safe ways only."""
    nodes = list(_nodes())
    found = [(path, node, _name(node)) for path, node in nodes if isinstance(node, ast.Call)]
    assert len(found) > 1000
    forbidden = {"eval", "exec", "Unpickler", "unsafe_load", "full_load", "enable_unsafe_deserialization"}
    assert [(path, call.lineno) for path, call, name in found if name in forbidden] == []
    for path, call, name in found:
        where = f"{path}:{call.lineno}"
        if name == "load_model":
            assert _says(call, "safe_mode", True), where
        if name == "load" and isinstance(call.func, ast.Attribute) and getattr(call.func.value, "id", "") == "np":
            assert _says(call, "allow_pickle", False), where
        if name == "run" or name == "Popen":
            assert not _says(call, "shell", True), where
    imports = {(path, alias.name) for path, node in nodes if isinstance(node, ast.Import) for alias in node.names}
    # The reader of word lists, which lets pickle read nothing but whole numbers that it has matched before.
    reader = Path("engine/data/sources/pickle.py")
    # A watched script's own tasks and their results: over a pipe between a process and its child, never from a file.
    script = {Path("engine/search/sklearn") / name for name in ("shared_values.py", "task_results.py")}
    script.add(Path("engine/workers/task_runner.py"))
    picklers = ("pickle", "cloudpickle", "marshal", "shelve", "yaml", "dill", "joblib.dump")
    assert {place for place, name in imports if name in picklers} == {reader, *script}
    unpickled = {
        path for path, call, name in found if name in ("loads", "load") and _of(call) in ("pickle", "cloudpickle")
    }
    assert unpickled <= {reader, *script}


@pytest.mark.parametrize("kind", ["link", "folder link", "loose", "loose folder"])
def test_what_others_planted_is_refused_and_stays_untouched(surroundings: Path, kind: str, tmp_path: Path) -> None:
    from engine.errors import SessionUnreadableError
    from engine.session.session import open_session

    list(fake_search(surroundings, {"epochs": 1}, name="a").run())
    canary = tmp_path / "canary"
    canary.mkdir()
    (canary / "file").write_text("alive")
    folder = surroundings / "a"
    match kind:
        case "link":
            (folder / "heartbeat").unlink()
            (folder / "heartbeat").symlink_to(canary / "file")
        case "folder link":
            folder.rename(surroundings / "b")
            folder.symlink_to(canary, target_is_directory=True)
        case "loose":
            (folder / "journal.1.jsonl").chmod(0o666)
        case "loose folder":
            folder.chmod(0o777)
    with pytest.raises(SessionUnreadableError, match=r"link|others may write"):
        open_session("a", surroundings).delete()
    assert (canary / "file").read_text() == "alive"
    assert os.listdir(canary) == ["file"]
