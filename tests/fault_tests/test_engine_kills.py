"""An engine killed at any file operation loses no score that it acknowledged and leaves nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.fault_tests.engine_kills import assert_nothing_is_lost

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fault_tests.engine_forks import Ended, EngineForks


@pytest.mark.slow
def test_killed_where_a_file_gets_its_content_or_its_name(
    forks: EngineForks, undisturbed_engine: tuple[Ended, dict[str, Any]], tmp_path: Path
) -> None:
    """The first operation of every such kind, of each sort of file."""
    kinds = [
        kind
        for kind in dict.fromkeys(undisturbed_engine[0].operations)
        if kind.startswith(("half a write", "sync", "rename", "link"))
    ]
    # The journal goes by the name that its segment had before it got its own.
    assert {"half a write .foldwatch-N.N.N.segment", "link journal.N.jsonl", "half a write curves.N.jsonl"} <= set(
        kinds
    )
    for number, kind in enumerate(kinds):
        sessions = tmp_path / str(number) / "sessions"
        killed = forks.run(sessions, fatal=kind)
        assert (killed.was_killed, killed.left) == (True, []), kind
        assert_nothing_is_lost(forks, sessions, killed.acknowledged, undisturbed_engine[1])


@pytest.mark.slow
@pytest.mark.parametrize("beginning", ["new", "resumed"])
def test_killed_at_every_operation(
    forks: EngineForks, undisturbed_engine: tuple[Ended, dict[str, Any]], tmp_path: Path, beginning: str
) -> None:
    half_done = tmp_path / "half done"
    if beginning == "resumed":
        assert forks.run(half_done / "sessions", kill_after=(12, 0.0)).was_killed
    for number in range(1000):
        root = tmp_path / str(number)
        if beginning == "resumed":
            shutil.copytree(half_done, root)
        ended = forks.run(root / "sessions", fatal=number)
        assert ended.left == []
        if not ended.was_killed:
            assert ended.status == 0
            break
        assert_nothing_is_lost(forks, root / "sessions", ended.acknowledged, undisturbed_engine[1])
        shutil.rmtree(root)
    # How much was left for a resume depends on when the kill came.
    assert number > (30 if beginning == "new" else 10)
