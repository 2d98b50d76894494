"""Compiled code lies where it can be written, under a name that changes with the code; nothing heavy is imported."""

from __future__ import annotations

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
import engine.training.kernel.training
print(sorted(heavy & set(sys.modules)))
"""
    assert run(code).splitlines() == ["[]", "['numba', 'scipy']"]


def test_the_cache_is_named_by_the_environment_or_falls_back(tmp_path: Path) -> None:
    code = "from engine.training.kernel.compiling import cache_folder; print(cache_folder())"
    named = Path(run(code, FOLDWATCH_CACHE=str(tmp_path / "cache")))
    assert named.parent == tmp_path / "cache"
    assert named.name.startswith("kernel-")
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    home = {"HOME": str(blocked), "XDG_CACHE_HOME": str(blocked)}
    fallen_back = Path(run(code, FOLDWATCH_CACHE=str(blocked), **home))
    assert not fallen_back.is_relative_to(blocked)
    assert fallen_back.stat().st_mode & 0o077 == 0
    fallen_back.rmdir()


def test_the_name_of_the_cache_changes_with_any_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.training.kernel import compiling

    before = compiling._fingerprint()
    assert before == compiling._fingerprint()
    (tmp_path / "rules.py").write_text("# edited")
    monkeypatch.setattr(compiling, "__file__", str(tmp_path / "compiling.py"))
    assert compiling._fingerprint() != before


@pytest.mark.slow
def test_two_processes_may_compile_at_once(tmp_path: Path) -> None:
    code = """
import sys
sys.path.insert(0, "tests/engine_tests/kernel_tests")
from tests.engine_tests.kernel_tests.kernel_requests import make_request, make_rows
from engine.training.kernel import KernelTrainer
rows = make_rows(50, 4)
for epoch in KernelTrainer().train(make_request(rows), rows, None):
    print(epoch.loss)
"""
    environment = {**os.environ, "FOLDWATCH_CACHE": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(set(outputs)) == 1
