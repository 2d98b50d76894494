"""scikit-learn's own tests of its searches, plain, on loky, and in foldwatch's workers: what fails only with us.

python -m tests.benchmarks.scikit_learn_tests [--only EXPRESSION] [--ways plain loky foldwatch]

The tests are those of the installed scikit-learn, `test_search.py` and `test_validation.py`. Where they say no
`n_jobs`, loky and foldwatch have two workers. `only` is an expression as of pytest's `-k`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.measuring import report
from tests.benchmarks.scikit_learn_plugin import BACKEND, REPORT

MODULES = ("sklearn.model_selection.tests.test_search", "sklearn.model_selection.tests.test_validation")
WAYS = ("plain", "loky", "foldwatch")
LONGEST_SECONDS = 3600


@dataclass
class Run:
    """One file of tests, run one way: outcomes by the names of the tests, why they failed, and fits by their place."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    here: int = 0  # fits in the process of the tests
    reached: int = 0  # fits in our workers
    seconds: float = 0.0

    def number(self, outcome: str) -> int:
        """How many tests ended so."""
        return list(self.outcomes.values()).count(outcome)


def run_tests(module: str, way: str, only: str) -> Run:
    """Run one file of tests in a process of its own. Raises RuntimeError if pytest itself fails."""
    root = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        command += ["-p", "tests.benchmarks.scikit_learn_plugin", "--pyargs", module, *(["-k", only] if only else [])]
        places = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, BACKEND: way, REPORT: str(path), "PYTHONPATH": os.pathsep.join(places)}
        started = time.perf_counter()
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
        run = Run(seconds=time.perf_counter() - started)
        if ended.returncode not in (0, 1, 5):  # passed, failed, none was meant
            message = f"pytest ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-2000:]}"
            raise RuntimeError(message)
        for line in path.read_text().splitlines():
            noted = json.loads(line)
            if "test" in noted:
                run.outcomes[noted["test"]] = noted["outcome"]
                run.reasons[noted["test"]] = noted["reason"]
            else:
                run.here += noted["here"]
                run.reached += noted["reached"]
    return run


def main() -> None:
    """Run and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="EXPRESSION")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    rows, only_ours, facts = [], [], {}
    for module in MODULES:
        name = module.rpartition(".")[2]
        runs = {way: run_tests(module, way, options.only) for way in options.ways}
        for way, run in runs.items():
            counts = [run.number(outcome) for outcome in ("passed", "failed", "skipped")]
            rows.append([name, way, *counts, run.here, run.reached, run.seconds])
        ours = runs.get("foldwatch", Run())
        for test, outcome in ours.outcomes.items():
            if outcome == "failed":
                others = [way for way, run in runs.items() if run.outcomes[test] == "failed"]
                print(f"{test} fails with {', '.join(others)}: {ours.reasons[test][:200]}")
                if "loky" in runs and "loky" not in others:
                    only_ours.append(test)
        if "plain" in runs and "foldwatch" in runs and runs["plain"].here:
            facts[f"{name}_share"] = ours.reached / runs["plain"].here
    head = ["file", "way", "passed", "failed", "skipped", "fits in the tests' process", "fits in workers", "seconds"]
    report("scikit-learn's tests of its searches", head, rows, {**facts, "only_ours": only_ours})
    for name, share in facts.items():
        print(f"{name}: {share:.1%} of the plain run's fits reached our workers")
    print("fail with us and pass on loky:", *(only_ours or ["none"]), sep="\n  ")


if __name__ == "__main__":
    main()
