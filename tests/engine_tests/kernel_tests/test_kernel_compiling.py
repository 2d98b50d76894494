"""Compiled code lies where it can be written, under a name that changes with the code; nothing heavy is imported."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(code: str, **environment: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.strip()


def test_asking_for_a_refusal_imports_no_compiler_and_training_no_tensorflow() -> None:
    code = """
import sys
import engine.training.kernel
heavy = {"numba", "scipy", "tensorflow", "keras", "sklearn", "pandas"}
print(sorted(heavy & set(sys.modules)))
import engine.training.kernel.run
print(sorted(heavy & set(sys.modules)))
"""
    assert run(code).splitlines() == ["[]", "['numba', 'scipy']"]


@pytest.mark.slow
def test_the_cache_is_named_by_the_environment_or_falls_back(tmp_path: Path) -> None:
    code = "from engine.training.kernel.compiling import cache_folder; print(cache_folder())"
    named = Path(run(code, FOLDWATCH_CACHE=str(tmp_path / "cache")))
    assert named.parent == tmp_path / "cache"
    assert named.name.startswith("kernel-")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    home = {"HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    code += "; print(oct(cache_folder().stat().st_mode & 0o777))"
    place, mode = run(code, FOLDWATCH_CACHE=str(blocked), **home).splitlines()
    assert not Path(place).is_relative_to(blocked)
    assert mode == "0o700"
    # It served the process that made it, and went with it.
    assert not Path(place).exists()


def test_code_that_others_can_have_compiled_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training.kernel import compiling

    cache_folder = compiling.cache_folder.__wrapped__
    monkeypatch.setenv("FOLDWATCH_CACHE", str(tmp_path / "shared"))
    mine = cache_folder()
    assert mine.parent == tmp_path / "shared"
    mine.chmod(0o777)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / "own"))
    assert cache_folder().parent == tmp_path / "own"
    mine.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    mine.symlink_to(tmp_path / "elsewhere")
    assert cache_folder().parent == tmp_path / "own"


def test_the_name_of_the_cache_changes_with_any_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training.kernel import compiling

    before = compiling._fingerprint()
    assert before == compiling._fingerprint()
    (tmp_path / "rules.py").write_text("# edited")
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
    assert compiling._fingerprint() != before


def test_the_name_of_the_cache_changes_with_the_codes_of_activations(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training.coverage import ACTIVATIONS
    from engine.training.kernel import compiling

    before = compiling._fingerprint()
    monkeypatch.setattr(compiling, "ACTIVATIONS", ACTIVATIONS[::-1])
    assert compiling._fingerprint() != before


def test_the_kernel_takes_no_other_constant_from_outside_than_the_cache_is_named_by() -> None:
    taken = set()
    for path in (ROOT / "engine" / "training" / "kernel").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            module = str(node.module) if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("engine.") and not module.startswith("engine.training.kernel"):
                assert isinstance(node, ast.ImportFrom)
                taken |= {one.name for one in node.names if one.name.isupper()}
    assert taken == {"ACTIVATIONS"}


def test_a_lock_is_held_once_and_by_everybody_where_it_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.training.kernel import compiling

    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path)
    with compiling.lock("a") as first, compiling.lock("a", wait=False) as second, compiling.lock("b") as other:
        assert (first, second, other) == (True, False, True)
    with compiling.lock("a", wait=False) as again:
        assert again
    monkeypatch.setattr(compiling, "cache_folder", lambda: tmp_path / "removed meanwhile")
    with compiling.lock("a") as one, compiling.lock("a", wait=False) as another:
        assert one
        assert another


@pytest.mark.slow
def test_of_several_processes_one_compiles_each_function(tmp_path: Path) -> None:
    code = """
import json
import numba.core.event
from tests.engine_tests.kernel_tests.kernel_requests import make_request, make_rows
from engine.training.kernel import KernelTrainer

compiled = []
class Listener(numba.core.event.Listener):
    def on_start(self, event):
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith("engine."):
            compiled.append(f"{function.__module__}.{function.__name__}{event.data['args']}")
    def on_end(self, event):
        pass
numba.core.event.register("numba:compile", Listener())
rows = make_rows(50, 4)
losses = [epoch.loss for epoch in KernelTrainer().train(make_request(rows), rows, None)]
print(json.dumps([losses, compiled]))
"""
    environment = {**os.environ, "FOLDWATCH_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert said[0][0] == said[1][0] == said[2][0]
    compiled = [function for _, functions in said for function in functions]
    assert any("propagate" in function for function in compiled)
    assert len(compiled) == len(set(compiled))
    # More than one took part.
    assert sum(bool(functions) for _, functions in said) > 1
