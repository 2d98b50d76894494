"""Which cases of a test the default run leaves to the slow one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable


def first_of(cases: Iterable[tuple[Any, ...]], count: int = 1) -> list[Any]:
    """Cases for `parametrize`, the arguments of each: all after the first `count` are marked slow."""
    return [pytest.param(*case, marks=[] if number < count else pytest.mark.slow) for number, case in enumerate(cases)]
