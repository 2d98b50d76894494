"""Specs that the form wrote lie where nobody else can change them before they run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import CannotCreateError
from engine.spec.spec import SearchSpec
from tui.new_search.spec_files import keep_spec

SPEC = SearchSpec.from_values({"dataset": "sample", "space": {}})


def test_a_place_for_specs_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    sessions = tmp_path / "sessions"
    assert keep_spec(SPEC, sessions, "a") == sessions / ".specs" / "a.toml"
    (sessions / ".specs").chmod(0o777)
    path = keep_spec(SPEC, sessions, "a")
    assert path == sessions / f".specs-{os.geteuid()}" / "a.toml"
    assert SearchSpec.read(path) == SPEC
    path.parent.chmod(0o777)
    with pytest.raises(CannotCreateError, match="others may write to it"):
        keep_spec(SPEC, sessions, "b")
