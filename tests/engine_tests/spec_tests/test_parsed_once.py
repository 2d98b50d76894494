"""A spec is parsed once, and what is kept of that is no part of its value."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

import engine.spec.spec as home
from engine.session.session import open_session
from engine.spec.spec import SearchSpec
from tests.fakes import fake_search

VALUES: dict[str, Any] = {
    "dataset": "sample",
    "stage": [{"subsample": 0.5, "keep": 1}, {"subsample": 1.0}],
    "early_stopping": {"patience": 2},
    "space": [{"epochs": [1, 2]}, {"epochs": 3}],
}


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each part of a spec was parsed."""
    counted: Counter[str] = Counter()

    def count(name: str) -> None:
        parse = getattr(home, name)

        def counting(*arguments: Any) -> Any:
            counted[name] += 1
            return parse(*arguments)

        monkeypatch.setattr(home, name, counting)

    for name in ("parse_space", "parse_strategy", "parse_stages"):
        count(name)
    return counted


def test_a_spec_is_parsed_once_however_often_its_parts_are_read(parsed: Counter[str]) -> None:
    spec = SearchSpec.from_values(VALUES)
    for _ in range(3):
        assert len(spec.spaces) == len(spec.stages) == 2
        assert (spec.choice.name, spec.draws, spec.rows) == ("grid", None, 8982)
        assert spec.stopping is spec.stopping is not None
    assert parsed == {"parse_space": len(spec.spaces), "parse_strategy": 1, "parse_stages": 1}


def test_a_session_parses_its_spec_once(surroundings: Path, parsed: Counter[str]) -> None:
    list(fake_search(surroundings, {"epochs": 1}, name="a").run())
    session = open_session("a", surroundings)
    parsed.clear()
    assert session.spec.choice is session.spec.choice
    assert session.spec.to_values() == session.record.spec
    assert parsed == {"parse_space": 1, "parse_strategy": 1}


def test_what_is_kept_counts_for_no_comparison_and_goes_into_no_copy() -> None:
    read, fresh = SearchSpec.from_values(VALUES), SearchSpec(**VALUES)
    assert read.spaces
    assert (read, read.to_values(), home.to_json(read)) == (fresh, fresh.to_values(), home.to_json(fresh))
    for copied in (copy.copy(read), copy.deepcopy(read), pickle.loads(pickle.dumps(read))):  # noqa: S301
        assert copied == read
        assert copied.spaces == read.spaces
    other = msgspec.structs.replace(read, space={"epochs": 4}, stage=[], strategy={"random": 1}, early_stopping=None)
    assert (len(other.spaces), len(other.stages), other.draws, other.stopping) == (1, 1, 1, None)
    assert other != read
    with pytest.raises(AttributeError):
        read.seed = 1  # type: ignore[misc]
    with pytest.raises(TypeError, match="unhashable"):
        hash(read)
