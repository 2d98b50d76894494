"""Who compiles trains with the code that all later processes load, whatever was compiled or loaded before it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def digests(which: str, order: str, cache: Path) -> dict[str, str]:
    """What trainings come to in a process of their own."""
    finished = subprocess.run(
        [sys.executable, "-m", "tests.engine_tests.kernel_tests.kernel_digests", which, order],
        cwd=ROOT,
        env={**os.environ, "FOLDWATCH_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=270,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, str] = json.loads(finished.stdout)
    assert found
    return found


def compiled_files(cache: Path) -> set[Path]:
    return {path for path in cache.rglob("*") if path.suffix in (".nbc", ".nbi")}


@pytest.mark.slow
def test_the_process_that_compiles_trains_as_those_that_load(tmp_path: Path) -> None:
    compiling = digests("few", "forwards", tmp_path)
    compiled = compiled_files(tmp_path)
    assert compiled
    assert digests("few", "forwards", tmp_path) == compiling
    assert compiled_files(tmp_path) == compiled


@pytest.mark.slow
def test_every_optimizer_and_option_trains_the_same_in_whatever_order_it_was_compiled_or_loaded(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    compiling = digests("all", "forwards", one)
    assert digests("all", "forwards", one) == compiling
    assert digests("all", "backwards", one) == compiling
    assert digests("all", "backwards", other) == compiling
    assert digests("all", "forwards", other) == compiling
