"""What a combination gets wrong is what scikit-learn counts, and nothing in it can steer a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from engine import data
from engine.analysis.confusion import WORDS
from engine.cli.main import main
from engine.data.loading import training_sequences
from engine.errors import NoBestError, NotAvailableError, UsageError
from engine.session.segments import predictions_path
from tests.fakes import SMALL, fake_search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.search.search import Search


@pytest.fixture
def search(surroundings: Path) -> Search:
    """Two combinations on two splits, done."""
    done = fake_search(surroundings, {"epochs": 2, "hidden_units": [8, 16]}, name="a", folds=2)
    list(done.run())
    return done


def _out_of_fold(search: Search, index: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Rows, predicted classes and probabilities of the true ones."""
    assert search.session is not None
    folds = search.session.folds()[0]
    rows, classes, probabilities = [], [], []
    for fold, place in enumerate(search.state.combinations[index].predictions):
        assert place is not None
        predictions = search.session.predictions(place)
        assert predictions is not None
        rows.append(np.flatnonzero(folds == fold))
        classes.append(predictions.classes.astype(np.intp))
        probabilities.append(predictions.probabilities)
    return np.concatenate(rows), np.concatenate(classes), np.concatenate(probabilities)


def test_classes_and_pairs_are_those_of_scikit_learn(search: Search) -> None:
    dataset = data.load("sample", num_words=SMALL["num_words"])
    names = dataset.label_names
    rows, classes, _ = _out_of_fold(search, 1)
    labels = np.asarray(dataset.training.labels)[rows]
    errors = search.errors(1, most=2000)
    assert (errors.combination, errors.splits, errors.rows) == (1, 2, 300)
    assert errors.wrong == int((labels != classes).sum())
    expected = precision_recall_fscore_support(labels, classes, labels=range(len(names)), zero_division=np.nan)
    for one in errors.classes:
        number = names.index(one.name)
        found = [np.nan if value is None else value for value in (one.precision, one.recall, one.f1)]
        np.testing.assert_allclose(found, [values[number] for values in expected[:3]])
        assert one.support == expected[3][number]
    assert sum(one.support for one in errors.classes) == sum(one.predicted for one in errors.classes) == 300
    assert [one.support for one in errors.classes] == sorted((one.support for one in errors.classes), reverse=True)
    counts = confusion_matrix(labels, classes, labels=range(len(names)))
    assert {(names.index(one.true), names.index(one.predicted)): one.rows for one in errors.pairs} == {
        (int(true), int(taken)): int(counts[true, taken]) for true, taken in np.argwhere(counts) if true != taken
    }
    assert [one.rows for one in errors.pairs] == sorted((one.rows for one in errors.pairs), reverse=True)
    assert all(one.share == one.rows / counts[names.index(one.true)].sum() for one in errors.pairs)


def test_the_worst_rows_come_first_with_the_beginning_of_their_texts(search: Search) -> None:
    sequences = training_sequences(
        data.dataset_named("sample"), data.MultiHot(SMALL["num_words"]), data_dir=None
    ).sequences
    training = data.load("sample", num_words=SMALL["num_words"]).training
    names = data.DATASETS["sample"].label_names
    errors = search.errors(most=7)
    assert errors.combination == search.best_index_
    rows, classes, probabilities = _out_of_fold(search, errors.combination)
    wrong = [
        (float(p), int(row), names[taken])
        for row, taken, p in zip(rows, classes, probabilities, strict=True)
        if taken != training.labels[row]
    ]
    assert len(errors.pairs) == len(errors.misclassified) == 7
    assert [(one.row, one.predicted) for one in errors.misclassified] == [(r, name) for _, r, name in sorted(wrong)[:7]]
    for one in errors.misclassified:
        assert one.true == names[training.labels[one.row]]
        text = sequences.values[sequences.indptr[one.row] : sequences.indptr[one.row + 1]].tolist()
        assert one.words == tuple("…" if word == 2 else f"word {word}" for word in text[1 : WORDS + 1])
        assert set(text) == set(training.indices[training.indptr[one.row] : training.indptr[one.row + 1]].tolist())


def test_a_combination_of_a_later_stage_is_told_of_its_own_rows(surroundings: Path) -> None:
    stages = [{"subsample": 100, "keep": 1}, {"subsample": 300}]
    space = {"epochs": 1, "hidden_units": [8, 16], "batch_size": 16}
    search = fake_search(surroundings, space, name="a", folds=2, subsample=1.0, stage=stages)
    list(search.run())
    assert search.best_index_ == 2
    assert (search.errors(0).rows, search.errors(2).rows) == (100, 300)


def test_repeats_of_a_row_are_counted_in_classes_and_named_once(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": 1}, name="a", folds=2, repeats=3)
    list(search.run())
    errors = search.errors(most=1000)
    assert (errors.splits, errors.rows) == (6, 900)
    named = [one.row for one in errors.misclassified]
    assert len(named) == len(set(named)) <= 300
    assert [one.probability for one in errors.misclassified] == sorted(one.probability for one in errors.misclassified)


def test_the_command_prints_it_and_as_json(search: Search, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["errors", "a", "--sessions", str(tmp_path / "sessions"), "--combination", "1", "--most", "3"]) == 0
    shown = capsys.readouterr().out
    errors = search.errors(1, most=3)
    assert f"{errors.wrong} of 300 rows" in shown
    assert all(f"row {one.row} " in shown for one in errors.misclassified)
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["errors", "a", "--sessions", str(tmp_path / "sessions"), "--most", "3", "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["session"], values["combination"]) == ("a", search.best_index_)
    assert [len(values[name]) for name in ("pairs", "misclassified")] == [3, 3]


def test_a_word_index_names_words_and_cannot_steer_the_terminal(
    search: Search, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    index = tmp_path / "sample_word_index.json"
    command = ["errors", "a", "--sessions", str(tmp_path / "sessions"), "--data-dir", str(tmp_path)]
    index.write_text(json.dumps({f"\x1b]52;c;{rank}\x07": rank for rank in range(1, 998)}))
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "␛]52;c;" in shown
    assert not {"\x1b", "\x07"} & set(shown)
    for rubbish in ("[]", '{"word": "one"}', "\x80"):
        index.write_text(rubbish)
        assert main(command) == 2
        assert "is not a word index" in capsys.readouterr().err


def test_without_its_data_no_words_are_told(search: Search, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    record = tmp_path / "sessions" / "a" / "search.json"
    values = json.loads(record.read_text())
    values["data"]["digest"] = "0" * 64
    record.write_text(json.dumps(values))
    assert main(["errors", "a", "--sessions", str(tmp_path / "sessions")]) == 0
    shown = capsys.readouterr().out
    assert "the data are not at hand" in shown
    assert "word " not in shown
    assert main(["errors", "a", "--sessions", str(tmp_path / "sessions"), "--data-dir", str(tmp_path)]) == 2
    assert "the data have changed: digest" in capsys.readouterr().err


def test_what_is_not_in_the_record_is_not_told(search: Search, surroundings: Path) -> None:
    with pytest.raises(UsageError, match="accepted: 0 to 1"):
        search.errors(2)
    assert search.session is not None
    path = predictions_path(search.session.folder, 1)
    place = search.state.combinations[1].predictions[0]
    assert place is not None
    content = bytearray(path.read_bytes())
    content[place.offset] ^= 0xFF
    path.write_bytes(content)
    assert search.errors(1).splits == 1
    path.unlink()
    with pytest.raises(NotAvailableError, match="combination 1 has no predictions"):
        search.errors(1)
    unstarted = fake_search(surroundings, {"epochs": 1})
    with pytest.raises(UsageError, match="start it first"):
        unstarted.errors()
    empty = fake_search(surroundings, {"epochs": 1}, workers=1, name="left")
    for _ in empty.run():
        break
    with pytest.raises(NoBestError):
        empty.errors()
