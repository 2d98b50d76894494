"""One small session, and the ways in which it can be broken: damaged, out of bounds, in the wrong order, no files.

`DAMAGED` leave something to be read, which is named beside what is lost; `UNREADABLE` leave nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from engine.session import events
from engine.session.journal_writer import JournalWriter
from engine.session.liveness import this_process
from engine.session.record import FORMAT, DataRecord, SearchRecord
from engine.session.record_limits import LARGEST_RECORD, LARGEST_SEGMENT, MOST_DAMAGES, MOST_SEGMENTS
from engine.session.segments import Curve
from engine.session.session import Session
from engine.system.checked_lines import frame
from tests.fakes import made_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Break = Callable[[Path], object]

FOLDS = np.array([[0, 1, 0, 1]], np.int16)
NOON = 1_700_000_000.0
SPEC: dict[str, Any] = {
    "dataset": "sample",
    "folds": 2,
    "scoring": ["accuracy"],
    "strategy": "grid",
    "space": {"epochs": [2, 4], "batch_size": [2]},
}


def sound_session(sessions: Path, name: str) -> Session:
    """Two combinations of two folds, all scored, the engine gone."""
    record = SearchRecord(
        format=FORMAT,
        id=name,
        created=NOON,
        spec=SPEC,
        data=DataRecord(
            source_sha256="a",
            digest="b",
            folds_sha256=hashlib.sha256(FOLDS.tobytes()).hexdigest(),
            rows=4,
            test_rows=2,
            classes=46,
            synthetic=True,
        ),
        versions={},
        host="here",
        cpu="some",
    )
    session = made_session(sessions, record, FOLDS)
    writer = _writer(session.folder)
    for event in made():
        writer.append(event)
    place = writer.append_curve(
        Curve(training=0, loss=[1.0], validation_loss=[1.0], validation_score=[0.5], learning_rate=[0.1])
    )
    assert place.segment == 1
    writer.close()
    (session.folder / "worker.0.log").write_text("a line of its output\n")
    return session


def _writer(folder: Path) -> JournalWriter:
    """Of an engine that this machine's last boot ended."""
    return JournalWriter(folder, msgspec.structs.replace(this_process(), boot="another"))


def made() -> list[events.Event]:
    """What the engine of the sound session recorded."""
    planned = [
        events.PlannedCombination(index=index, params={"epochs": epochs, "batch_size": 2}, trainer="kernel")
        for index, epochs in enumerate((2, 4))
    ]
    happened: list[events.Event] = [
        events.SearchStarted(
            time=NOON,
            session="s",
            segment=1,
            dataset="sample",
            synthetic=True,
            rows=4,
            classes=46,
            splits=2,
            scoring=["accuracy"],
            workers=1,
            trainings=2,
            cost=1.0,
            host="here",
            pid=1,
            folds=2,
        ),
        events.CombinationsAdded(time=NOON, combinations=planned),
        events.WorkerStarted(time=NOON, worker=0, pid=7, device="cpu"),
    ]
    for fold in range(2):
        fits = [events.ServedFit(0, 2), events.ServedFit(1, 4)]
        happened.append(
            events.TrainingStarted(
                time=NOON + fold,
                training=fold,
                worker=0,
                fold=fold,
                fits=fits,
                epochs=4,
                steps_per_epoch=1,
                cost=1.0,
                trainer="kernel",
                seed=1,
            )
        )
        happened += [
            events.FitScored(
                time=NOON + fold,
                combination=fit.combination,
                fold=fold,
                training=fold,
                epochs=fit.epochs,
                scores={"accuracy": 0.5 + fit.combination / 8},
                seconds=1.0,
            )
            for fit in fits
        ]
    return [*happened, events.SearchFinished(time=NOON + 9, outcome="completed")]


def lines_of(folder: Path) -> list[bytes]:
    """The lines of its first segment."""
    return (folder / "journal.1.jsonl").read_bytes().splitlines(keepends=True)


def write_lines(folder: Path, lines: list[bytes]) -> None:
    """Replace them."""
    (folder / "journal.1.jsonl").write_bytes(b"".join(lines))


def damage(kind: str) -> Break:
    """Flip a bit of the first line of an event of this kind."""

    def break_it(folder: Path) -> None:
        lines = lines_of(folder)
        number = next(n for n, line in enumerate(lines) if b'"type":"%b"' % kind.encode() in line)
        line = lines[number]
        lines[number] = line[:30] + bytes([line[30] ^ 1]) + line[31:]
        write_lines(folder, lines)

    return break_it


def _change(kind: str, **fields: Any) -> Break:
    """Write other fields into the first event of a kind, its checksum right."""

    def break_it(folder: Path) -> None:
        lines = lines_of(folder)
        for number, line in enumerate(lines):
            sequence, event = json.loads(line[9:])
            if event["type"] == kind:
                lines[number] = frame(json.dumps([sequence, {**event, **fields}], separators=(",", ":")).encode())
                break
        write_lines(folder, lines)

    return break_it


def _append(*happened: events.Event) -> Break:
    """More lines, as an engine would write them."""

    def break_it(folder: Path) -> None:
        lines = lines_of(folder)
        for number, event in enumerate(happened, start=len(lines)):
            lines.append(frame(b"[%d,%b]" % (number, events.to_json(event))))
        write_lines(folder, lines)

    return break_it


def _in_order(*order: int) -> Break:
    """The events in another order, their numbers and checksums right."""

    def break_it(folder: Path) -> None:
        lines, happened = lines_of(folder)[:1], made()
        for number, place in enumerate(order, start=1):
            lines.append(frame(b"[%d,%b]" % (number, events.to_json(happened[place]))))
        write_lines(folder, lines)

    return break_it


def _deep_params(folder: Path) -> None:
    lines = lines_of(folder)
    deep = b"[" * 5000 + b"1" + b"]" * 5000
    lines[2] = frame(lines[2][9:-1].replace(b'"params":{', b'"params":{"x":' + deep + b",", 1))
    write_lines(folder, lines)


def _cut_out_a_line(folder: Path) -> None:
    lines = lines_of(folder)
    write_lines(folder, lines[:5] + lines[6:])


def _lose_a_segment(folder: Path) -> None:
    _writer(folder).close()
    (folder / "journal.1.jsonl").unlink()


def _shorten_a_sealed_segment(folder: Path) -> None:
    _writer(folder).close()
    write_lines(folder, lines_of(folder)[:-2])


def _negative_seal(folder: Path) -> None:
    _writer(folder).close()
    path = folder / "journal.2.jsonl"
    sequence, header = json.loads(path.read_bytes()[9:])
    header["seals"][0]["length"] = -1
    path.write_bytes(frame(json.dumps([sequence, header], separators=(",", ":")).encode()))


def _replace(name: str, make: Break) -> Break:
    def break_it(folder: Path) -> None:
        path = folder / name
        path.unlink(missing_ok=True)
        make(path)

    return break_it


def _of_bytes(size: int) -> Break:
    def make(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(size)

    return make


def _huge_folds(path: Path) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<i2", "fortran_order": False, "shape": (1, 1_000_000_000_000)}
        )


def _record(**fields: Any) -> Break:
    def break_it(folder: Path) -> None:
        path = folder / "search.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return break_it


def _deep_spec(folder: Path) -> None:
    path = folder / "search.json"
    path.write_text(path.read_text().replace('"space": {', '"space": {"x": ' + "[" * 5000 + "]" * 5000 + ",", 1))


def _many_segments(folder: Path) -> None:
    for number in range(2, MOST_SEGMENTS + 2):
        shutil.copy(folder / "journal.1.jsonl", folder / f"journal.{number}.jsonl")


def _damaged_everywhere(folder: Path) -> None:
    with (folder / "journal.1.jsonl").open("ab") as file:
        file.write(b"\n" * (MOST_DAMAGES + 1))


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.mkdir()


DAMAGED: dict[str, tuple[Break, str]] = {
    "a score": (damage("FitScored"), "the checksum does not fit"),
    "combinations": (damage("CombinationsAdded"), "the checksum does not fit"),
    "the start": (damage("SearchStarted"), "the checksum does not fit"),
    "the header": (damage("SegmentOpened"), "the checksum does not fit"),
    "no splits": (_change("SearchStarted", splits=0), "`int` >= 1 - at `$.splits`"),
    "a hundred million splits": (_change("SearchStarted", splits=10**8), "at `$.splits`"),
    "no scoring": (_change("SearchStarted", scoring=[]), "length >= 1 - at `$.scoring`"),
    "a time beyond all calendars": (_change("SearchStarted", time=1e308), "at `$.time`"),
    "a number that is none": (_change("FitScored", seconds=1e308), "at `$.seconds`"),
    "a score beyond all sums": (_change("FitScored", scores={"accuracy": 1e308}), "at `$.scores[...]`"),
    "a negative combination": (_change("FitScored", combination=-1), "at `$.combination`"),
    "a fold beyond the splits": (_change("FitScored", fold=7), "FitScored does not fit the search: split 7 of 2"),
    "a training of no fits": (_change("TrainingStarted", fits=[]), "at `$.fits`"),
    "a million epochs": (_change("TrainingStarted", epochs=10**6), "at `$.epochs`"),
    "long text": (_change("SearchFinished", message="x" * 200_000), "at `$.message`"),
    "numbers with a gap": (
        _change("CombinationsAdded", combinations=[{"index": n, "params": {}, "trainer": "k"} for n in (0, 2)]),
        "not numbered one after the other",
    ),
    "the same as itself": (
        _change("CombinationsAdded", combinations=[{"index": 0, "params": {}, "trainer": "k", "same_as": 0}]),
        "equal to one that comes later",
    ),
    "combinations far away": (
        _append(
            events.RoundDecided(
                time=NOON,
                strategy="halving",
                words="",
                added=[events.PlannedCombination(index=4_000_000, params={}, trainer="kernel")],
            )
        ),
        "combination 4000000 is announced after combination 1",
    ),
    "another search's start": (
        _append(*[events.from_json(events.to_json(made()[0]).replace(b'"splits":2', b'"splits":3'))]),
        "it has 2 splits, not 3",
    ),
    "deep parameters": (_deep_params, "nested more than 32 deep"),
    "a line cut out": (_cut_out_a_line, "what was between is lost"),
    "a lost segment": (_lose_a_segment, "journal.1.jsonl at byte 0: it is missing"),
    "a shortened segment": (_shorten_a_sealed_segment, "bytes were recorded"),
    "a negative seal": (_negative_seal, "at `$[1].seals[0].length`"),
}

UNREADABLE: dict[str, tuple[Break, str]] = {
    "a FIFO for the record": (_replace("search.json", _fifo), "is a FIFO, not a regular file"),
    "a FIFO for the journal": (_replace("journal.1.jsonl", _fifo), "is a FIFO, not a regular file"),
    "a FIFO for the heartbeat": (_replace("heartbeat", _fifo), "is a FIFO, not a regular file"),
    "a folder for the heartbeat": (_replace("heartbeat", _folder), "is a folder, not a regular file"),
    "a FIFO for the folds": (_replace("folds.npy", _fifo), "is a FIFO, not a regular file"),
    "a folder for the journal": (_replace("journal.1.jsonl", _folder), "is a folder, not a regular file"),
    "a record of gigabytes": (_replace("search.json", _of_bytes(10 << 30)), f"more than the {LARGEST_RECORD}"),
    "a journal of gigabytes": (_replace("journal.1.jsonl", _of_bytes(10 << 30)), f"more than the {LARGEST_SEGMENT}"),
    "an endless line": (_replace("journal.1.jsonl", _of_bytes(200 << 20)), "has a line at byte 0 that is longer"),
    "made after the end of time": (_record(created=1e308), "at `$.created`"),
    "an empty spec": (_record(spec={}), "its spec names no dataset"),
    "a deep spec": (_deep_spec, "nested more than 32 deep"),
    "many segments": (_many_segments, f"has {MOST_SEGMENTS + 1} segments"),
    "damage everywhere": (_damaged_everywhere, f"damaged in more than {MOST_DAMAGES} places"),
}

# Nothing of these is lost: they are read as they are, or what they name is left out.
HARMLESS: dict[str, Break] = {
    "folds of terabytes": _replace("folds.npy", _huge_folds),
    "no folds": lambda folder: (folder / "folds.npy").unlink(),
    "a FIFO for a log": _replace("worker.0.log", _fifo),
    "a log of gigabytes": _replace("worker.0.log", _of_bytes(10 << 30)),
    "scores first": _in_order(4, 5, 0, 1, 2, 3, 6, 7, 8, 9),
    "the end first": _in_order(9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
    "a score that no fold defines": _change("FitScored", scores={"accuracy": None}),
    "everything twice": _append(*made()[2:]),
    "a worker that trains twice and dies": _append(
        made()[2], made()[3], made()[3], events.WorkerDied(time=NOON, worker=0, pid=7), made()[3]
    ),
}
