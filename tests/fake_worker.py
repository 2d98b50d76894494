"""A real worker process whose trainers are the fake one; started by path, so it finds the fakes by path as well.

`fake_worker.py --real FD` trains with the real ones. `KEEP_VARIABLE` says how often checkpoints are written.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path


def main() -> None:
    """Be a worker, as `python -P -m engine.workers.worker` is."""
    from engine.training import keeping
    from engine.workers import worker

    place = Path(__file__).with_name("fakes.py")
    spec = importlib.util.spec_from_file_location("fakes", place)
    assert spec is not None
    assert spec.loader is not None
    fakes = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["fakes"] = fakes
    spec.loader.exec_module(fakes)
    if fakes.KEEP_VARIABLE in os.environ:
        keeping.EVERY_SECONDS, keeping.SHARE = float(os.environ[fakes.KEEP_VARIABLE]), 0.0
    *options, descriptor = sys.argv[1:]
    fake = {"kernel": fakes.FakeTrainer, "keras": fakes.FakeTrainer}
    worker.main([descriptor], worker.REAL_TRAINERS if options else fake)


if __name__ == "__main__":
    main()
