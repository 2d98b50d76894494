"""Small trainings for the kernel's tests."""

from __future__ import annotations

import pytest

from engine.data.rows import Rows
from tests.engine_tests.kernel_tests.kernel_requests import make_rows


@pytest.fixture
def rows() -> Rows:
    return make_rows(396, 4)
