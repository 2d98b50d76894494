"""A real worker process whose trainers are the fake one; started by path, so it finds the fakes by path as well."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path


def main() -> None:
    """Be a worker, as `python -P -m engine.worker` is."""
    from engine import worker

    place = Path(__file__).with_name("fakes.py")
    spec = importlib.util.spec_from_file_location("fakes", place)
    assert spec is not None
    assert spec.loader is not None
    fakes = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["fakes"] = fakes
    spec.loader.exec_module(fakes)
    worker.main(sys.argv[1:], {"kernel": fakes.FakeTrainer, "keras": fakes.FakeTrainer})


if __name__ == "__main__":
    main()
