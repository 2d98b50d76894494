"""The real command line with fake workers: `python -P tests/fake_command.py run SPEC.toml ...`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import engine.search.search
from tests.fakes import FAKE_WORKER

if TYPE_CHECKING:
    from collections.abc import Sequence


class FakeSearch(engine.search.search.Search):
    """A search that trains in fake workers unless it is told otherwise."""

    def __init__(self, *arguments: Any, worker_command: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(*arguments, worker_command=worker_command or FAKE_WORKER, **options)


def main() -> int:
    """Run one command."""
    from engine.cli.main import main as command

    engine.search.search.Search = FakeSearch  # type: ignore[misc]
    return command(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
