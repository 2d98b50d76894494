"""Out-of-fold predictions: every scored fit has its own, which give its scores; damage makes none of them wrong."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from engine import data
from engine.search.search import Search
from engine.session import segments
from engine.session.events import FitScored, PredictionsPlace
from engine.session.journal_reader import JournalReader
from engine.session.journal_writer import JournalWriter
from engine.session.predictions import MOST_ROWS, Predictions, read_block, read_predictions
from engine.session.record_limits import LARGEST_PREDICTIONS
from engine.session.segments import Owner, predictions_path
from engine.session.session import Session
from engine.session.state import SearchState
from engine.system.checked_lines import frame
from engine.workers import messages
from tests.fakes import FAKE_WORKER, SMALL, Fault, fake_search, told

if TYPE_CHECKING:
    from pathlib import Path

OWNER = Owner(host="here", boot="b", pid=1, process_started=2.0)


def _drawn(rows: int, classes: int, seed: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    labels, predicted = generator.integers(0, classes, (2, rows))
    return Predictions.of(labels, predicted, generator.random(rows, np.float32))


def _equal(one: Predictions | None, other: Predictions) -> bool:
    return one is not None and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("labels", "classes", "losses")
    )


@pytest.mark.parametrize("rows", [0, 1, 1000])
@pytest.mark.parametrize("classes", [2, 46, 256, 257, 65536])
def test_what_was_packed_is_unpacked(rows: int, classes: int) -> None:
    predictions = _drawn(rows, classes)
    unpacked = Predictions.unpack(predictions.pack())
    assert _equal(unpacked, predictions)
    assert unpacked is not None
    assert len(unpacked) == rows


def test_losses_are_those_of_scikit_learn_to_eleven_binary_digits() -> None:
    probabilities = np.array([0.0, 1e-30, 1e-6, 0.01, 0.3, 0.5, 0.99, 0.99999, 1.0], np.float32)
    zeros = np.zeros(len(probabilities), np.int32)
    predictions = Predictions.of(zeros, zeros, probabilities)
    epsilon = np.finfo(np.float32).eps
    exact = -np.log(np.clip(probabilities.astype(float), epsilon, 1 - epsilon))
    np.testing.assert_allclose(predictions.losses, exact, rtol=2**-11, atol=2**-25)
    np.testing.assert_allclose(predictions.probabilities, probabilities, atol=2e-4)


def test_the_most_rows_fit_the_longest_line_and_more_are_not_kept() -> None:
    block = _drawn(MOST_ROWS, 65536).pack()
    scored = messages.Scored(training=1, epochs=1, scores={"accuracy": 0.5}, seconds=1.0, predictions=block)
    line = messages.encode(scored)
    assert len(line) < messages.LONGEST_LINE
    assert messages.decode_from_worker(line) == scored
    assert _drawn(MOST_ROWS + 1, 2).pack() == b""


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x01\x01",
        b"\x01\x01\x03\x00\x00\x00",
        b"\x01\x01\x03\x00\x00\x00rubbish",
        b"\x02" + _drawn(3, 2).pack()[1:],  # of a later format
        b"\x01\x03" + _drawn(3, 2).pack()[2:],
        _drawn(3, 2).pack()[:-4],
        b"\x01\x01\x04\x00\x00\x00" + _drawn(3, 2).pack()[6:],
        b"\x01\x01\x02\x00\x00\x00" + _drawn(3, 2).pack()[6:],
        b"\x01\x01\xff\xff\xff\xff" + zlib.compress(bytes(1 << 20)),
    ],
)
def test_what_was_never_packed_is_not_unpacked(block: bytes) -> None:
    assert Predictions.unpack(block) is None


def test_a_damaged_block_is_missing_and_its_neighbours_are_not(tmp_path: Path) -> None:
    written = [_drawn(20, 46, seed) for seed in range(3)]
    writer = JournalWriter(tmp_path, OWNER)
    places = [writer.append_predictions(one.pack()) for one in written]
    writer.close()
    path = predictions_path(tmp_path, 1)
    content = path.read_bytes()
    assert [place.offset for place in places] == [0, places[0].length, places[0].length + places[1].length]
    for flipped in range(places[1].offset, places[2].offset):
        path.write_bytes(content[:flipped] + bytes([content[flipped] ^ 0x10]) + content[flipped + 1 :])
        found = [read_predictions(tmp_path, place) for place in places]
        assert [one is None for one in found] == [False, True, False]
        assert _equal(found[0], written[0])
        assert _equal(found[2], written[2])
    path.write_bytes(content[:-1])
    assert [read_predictions(tmp_path, place) is None for place in places] == [False, False, True]
    path.unlink()
    assert [read_block(tmp_path, place) for place in places] == [None] * 3


@pytest.mark.parametrize(
    "place",
    [
        PredictionsPlace(1, -1, 10, 0),
        PredictionsPlace(1, 0, -1, 0),
        PredictionsPlace(1, 1 << 80, 10, 0),
        PredictionsPlace(1, 0, 1 << 40, 0),
        PredictionsPlace(7, 0, 10, 0),
    ],
)
def test_a_place_that_is_none_has_no_predictions(tmp_path: Path, place: PredictionsPlace) -> None:
    predictions_path(tmp_path, 1).write_bytes(bytes(100))
    assert read_predictions(tmp_path, place) is None


def test_predictions_last_before_the_line_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path, OWNER)
    names = {path.stat().st_ino: path.name for path in tmp_path.iterdir()}
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(names[os.fstat(descriptor).st_ino]))
    writer.append_predictions(b"block")
    writer.sync()
    assert synced == ["predictions.1.bin", "journal.1.jsonl"]
    writer.sync()
    assert synced[2:] == ["journal.1.jsonl"]
    writer.close()


def test_what_a_full_disk_does_not_take_of_them_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = JournalWriter(tmp_path, OWNER)
    file = predictions_path(tmp_path, 1).stat().st_ino
    real = os.write

    def full(descriptor: int, content: bytes) -> int:
        if os.fstat(descriptor).st_ino == file:
            raise OSError(28, "No space left on device")
        return real(descriptor, content)

    blocks = [_drawn(20, 46, seed).pack() for seed in range(2)]
    monkeypatch.setattr(os, "write", full)
    places = [writer.append_predictions(block) for block in blocks]
    assert not writer.sync()
    assert [read_block(tmp_path, place) for place in places] == [None, None]
    monkeypatch.undo()
    assert writer.sync()
    assert [read_block(tmp_path, place) for place in places] == blocks
    writer.close()


# Of whole searches


def _session(search: Search) -> Session:
    assert search.session is not None
    return search.session


def _check(session: Session, state: SearchState) -> int:
    """Every scored fit has predictions for its fold's rows, which give its scores; how many there are."""
    folds = session.folds()
    labels = np.asarray(data.load("sample", num_words=SMALL["num_words"]).training.labels)
    checked = 0
    for combination in state.combinations:
        for split, place in enumerate(combination.predictions):
            accuracy = combination.score("accuracy", split)
            assert (place is None) == (accuracy is None)
            if place is None or accuracy is None:
                continue
            repeat, fold = divmod(split, int(folds.max()) + 1)
            predictions = session.predictions(place)
            assert predictions is not None
            np.testing.assert_array_equal(predictions.labels, labels[folds[repeat] == fold])
            assert float(np.mean(predictions.classes == predictions.labels)) == accuracy
            checked += 1
    return checked


def test_every_scored_fit_has_the_predictions_that_its_scores_come_from(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told(Fault("nan", epoch=3, units=16)).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, {"epochs": [2, 5], "hidden_units": [8, 16]}, folds=2, repeats=2)
    happened = list(search.run())
    # Combination 3 diverged on all four splits.
    assert _check(_session(search), search.state) == 12
    diverged = [event for event in happened if isinstance(event, FitScored) and event.diverged]
    assert [event.predictions for event in diverged] == [None] * 4
    # Whoever reads the record finds the same.
    assert _check(_session(search), _session(search).state()) == 12


def test_fits_of_one_training_have_each_their_own_and_equal_ones_share(surroundings: Path) -> None:
    search = fake_search(surroundings, {"epochs": [1, 2], "optimizer": ["sgd", {"name": "sgd", "momentum": 0.0}]})
    list(search.run())
    # Combinations 0 and 1 are of equal effect, and so are 2 and 3.
    places = [tuple(combination.predictions) for combination in search.state.combinations]
    assert places[0] == places[1] != places[2] == places[3]
    assert _check(_session(search), search.state) == 12
    kept = sum(place.length for place in (*places[0], *places[2]) if place)
    assert predictions_path(_session(search).folder, 1).stat().st_size == kept


def _predicted(session: Session) -> list[bytes | None]:
    places = [place for one in session.state().combinations for place in one.predictions]
    return [read_block(session.folder, place) if place else None for place in places]


SPACE: dict[str, Any] = {"epochs": [2], "hidden_units": [8, 16]}


def test_predictions_are_taken_over_with_the_scores_and_a_fit_without_them_too(surroundings: Path) -> None:
    first = fake_search(surroundings, SPACE, name="first")
    list(first.run())
    second = fake_search(surroundings, SPACE, name="second")
    list(second.run())
    assert {fit.taken_from for one in second.state.combinations for fit in one.fits} == {"first"}
    assert _predicted(_session(second)) == _predicted(_session(first))
    assert _check(_session(second), second.state) == 6
    _session(second).delete()
    path = predictions_path(_session(first).folder, 1)
    path.write_bytes(b"\0" + path.read_bytes()[1:])
    third = fake_search(surroundings, SPACE, name="third")
    list(third.run())
    assert {fit.taken_from for one in third.state.combinations for fit in one.fits} == {"first"}
    assert _predicted(_session(third)).count(None) == 1
    assert third.state.best is not None
    assert third.best_score_ == first.best_score_


def test_a_resumed_search_has_predictions_in_both_its_segments(
    surroundings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "gate")
    ((name, value),) = told(Fault("gate", units=8, path=str(tmp_path / "gate"))).items()
    monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, name="left", workers=1)
    for event in search.run():
        if isinstance(event, FitScored):
            break
    monkeypatch.delenv(name)
    resumed = Search.of_session("left", sessions=surroundings, worker_command=FAKE_WORKER)
    list(resumed.run())
    places = [place for one in resumed.state.combinations for place in one.predictions if place]
    assert {place.segment for place in places} == {1, 2}
    assert _check(_session(resumed), resumed.state) == 6


def test_a_record_from_before_there_were_predictions_is_read(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path, OWNER)
    payload = (
        b'[1,{"type":"FitScored","time":1.0,"combination":0,"fold":0,"training":0,"epochs":1,'
        b'"scores":{"accuracy":0.5},"seconds":1.0,"curve":[1,0,10]}]'
    )
    with segments.segment_path(tmp_path, 1).open("ab") as file:
        file.write(frame(payload))
    (event,) = JournalReader(tmp_path).poll()
    assert isinstance(event, FitScored)
    assert event.predictions is None
    writer.close()


def test_a_block_longer_than_any_can_be_is_not_read(tmp_path: Path) -> None:
    length = LARGEST_PREDICTIONS + 1
    with predictions_path(tmp_path, 1).open("wb") as file:
        file.truncate(length)
    assert read_block(tmp_path, PredictionsPlace(1, 0, length, zlib.crc32(bytes(length)))) is None
    assert read_block(tmp_path, PredictionsPlace(1, 0, 10, zlib.crc32(bytes(10)))) == bytes(10)
