"""Folds are scikit-learn's, and what it said once is read from a file that nothing but the same spec finds."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import data
from engine.data import open_cached
from engine.errors import SpecError
from engine.plan.folds import _KEPT, assign_folds, fold_rows, folds_of, partition_seed
from engine.spec.spec import SearchSpec
from engine.system.whole_files import temporary_path
from tests.fakes import SMALL

if TYPE_CHECKING:
    from engine.data import Dataset

ROOT = Path(__file__).parents[3]


def spec_of(**changes: Any) -> SearchSpec:
    return SearchSpec.from_values({"dataset": "sample", **SMALL, "folds": 3, "space": {"epochs": [1]}, **changes})


@pytest.fixture
def dataset(parsed_data: Path, tmp_path: Path) -> Dataset:
    """In a folder of the test's own."""
    folder = data.load("sample", num_words=SMALL["num_words"], cache_dir=parsed_data).folder
    copied = Path(shutil.copytree(folder, tmp_path / "data", ignore=shutil.ignore_patterns("folds-*")))
    return open_cached(copied)


def files(dataset: Dataset) -> list[Path]:
    return sorted(dataset.folder.glob("folds-*"))


def test_folds_are_those_of_scikit_learn(dataset: Dataset) -> None:
    from sklearn.model_selection import StratifiedKFold

    labels = np.asarray(dataset.training.labels)
    folds = assign_folds(spec_of(subsample=1.0, repeats=2, seed=5), labels)
    assert (folds.shape, folds.dtype) == ((2, len(labels)), np.dtype(np.int16))
    for repeat in range(2):
        splitter = StratifiedKFold(3, shuffle=True, random_state=partition_seed(5, repeat))
        for fold, (training, validation) in enumerate(splitter.split(labels, labels)):
            assert np.flatnonzero(folds[repeat] == fold).tolist() == validation.tolist()
            assert fold_rows(spec_of(), folds)[repeat * 3 + fold] == len(training)


def test_what_was_worked_out_is_read(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(subsample=0.3)
    first = folds_of(spec, dataset)
    assert first.tolist() == assign_folds(spec, np.asarray(dataset.training.labels)).tolist()
    assert len(files(dataset)) == 1
    monkeypatch.setattr("engine.plan.folds.assign_folds", None)
    assert folds_of(spec, dataset).tolist() == first.tolist()


@pytest.mark.slow
def test_without_scikit_learn_the_second_time(dataset: Dataset) -> None:
    code = f"""
import sys
from pathlib import Path
from engine.data import open_cached
from engine.plan.folds import folds_of
from tests.engine_tests.plan_tests.test_folds import spec_of
folds_of(spec_of(), open_cached(Path({str(dataset.folder)!r})))
print("sklearn" in sys.modules)
"""
    said = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["True\n", "False\n"]


@pytest.mark.parametrize(
    "changes",
    [{"folds": 4}, {"repeats": 2}, {"seed": 1}, {"subsample": 0.5}, {"stage": [{"subsample": 0.2, "keep": 1}, {}]}],
)
def test_another_spec_has_others(dataset: Dataset, changes: dict[str, Any]) -> None:
    folds_of(spec_of(subsample=0.3), dataset)
    other = spec_of(**{"subsample": 1.0 if "stage" in changes else 0.3, **changes})
    found = folds_of(other, dataset)
    assert found.tolist() == assign_folds(other, np.asarray(dataset.training.labels)).tolist()
    assert len(files(dataset)) == 2


def test_other_rows_have_others(dataset: Dataset) -> None:
    folds_of(spec_of(), dataset)
    folds_of(spec_of(), dataclasses.replace(dataset, digest="others"))
    assert len(files(dataset)) == 2


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", None])
def test_a_damaged_file_is_written_anew(dataset: Dataset, damage: bytes | None) -> None:
    expected = folds_of(spec_of(), dataset)
    (file,) = files(dataset)
    content = file.read_bytes()
    flipped = content[:200] + bytes([content[200] ^ 1]) + content[201:]
    file.write_bytes(flipped if damage is None else damage)
    assert folds_of(spec_of(), dataset).tolist() == expected.tolist()
    assert file.read_bytes() == content


def test_where_nothing_can_be_kept_they_are_worked_out(dataset: Dataset, tmp_path: Path) -> None:
    gone = dataclasses.replace(dataset, folder=tmp_path / "gone")
    assert folds_of(spec_of(), gone).tolist() == folds_of(spec_of(), dataset).tolist()


def test_old_files_make_room(dataset: Dataset) -> None:
    read_again = folds_of(spec_of(seed=1), dataset)
    (used,) = files(dataset)
    (abandoned := dataset.folder / ".foldwatch-0123456789ab.1.ff.tmp").write_bytes(b"")
    (in_use := temporary_path(dataset.folder)).write_bytes(b"")
    for file in (used, abandoned):
        os.utime(file, (0, 0))
    for number in range(_KEPT - 1):
        (dataset.folder / f"folds-{number}.npy").write_bytes(b"")
        os.utime(dataset.folder / f"folds-{number}.npy", (number + 1, number + 1))
    assert folds_of(spec_of(seed=1), dataset).tolist() == read_again.tolist()
    folds_of(spec_of(), dataset)
    left = files(dataset)
    assert len(left) == _KEPT
    assert dataset.folder / "folds-0.npy" not in left
    assert used in left
    assert not abandoned.exists()
    assert in_use.exists()


def test_what_cannot_be_split_is_refused_and_not_kept(dataset: Dataset) -> None:
    for _ in range(2):
        with pytest.raises(SpecError, match="subsample"):
            folds_of(spec_of(subsample=10**6), dataset)
    assert files(dataset) == []


def test_repeats_of_neighbouring_seeds_share_no_partition() -> None:
    seeds = [partition_seed(seed, repeat) for seed in range(50) for repeat in range(10)]
    assert len(set(seeds)) == len(seeds)
    assert [partition_seed(seed, 0) for seed in (0, 7, 2**32 - 1)] == [0, 7, 2**32 - 1]
