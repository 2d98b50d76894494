"""What other users of a machine have written, or may have, is looked at and never believed."""

from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from engine.cli.main import main
from engine.errors import SessionNotTrustedError
from engine.session.events import FitScored, SearchStarted
from engine.session.listing import list_sessions
from engine.session.segments import segment_path
from engine.session.session import open_session
from engine.training.checkpoint_file import read_checkpoint
from tests.fakes import fake_search, same_results
from tui.home.about_session import about

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

THEM = 47110815  # a user whom no machine has
SPACE: dict[str, Any] = {"epochs": 1, "hidden_units": [8, 16]}
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")


def _forge(folder: Path) -> None:
    """Every score 0.9999, with checksums that fit."""
    lines = []
    for line in segment_path(folder, 1).read_bytes().splitlines():
        sequence, event = json.loads(line[9:])
        if isinstance(event, dict) and event.get("type") == "FitScored":
            event["scores"] = dict.fromkeys(event["scores"], 0.9999)
        body = json.dumps([sequence, event], separators=(",", ":")).encode()
        lines.append(b"%08x %b\n" % (zlib.crc32(body), body))
    segment_path(folder, 1).write_bytes(b"".join(lines))


def _give(place: Path, user: int = THEM) -> None:
    for path in (place, *place.rglob("*")):
        os.chown(path, user, user)


def _give_journal(place: Path) -> None:
    os.chown(segment_path(place, 1), THEM, THEM)


def _loosen(place: Path) -> None:
    place.chmod(0o777)


def _loosen_journal(place: Path) -> None:
    segment_path(place, 1).chmod(0o660)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param(_give, marks=only_root, id="another user's"),
        pytest.param(_give_journal, marks=only_root, id="another user's journal"),
        pytest.param(_loosen, id="a folder that all may write"),
        pytest.param(_loosen_journal, id="a journal that the group may write"),
    ],
)
def test_scores_that_others_may_have_forged_are_not_taken_over(surroundings: Path, how: Callable[[Path], None]) -> None:
    honest = fake_search(surroundings, SPACE, name="honest")
    list(honest.run())
    (surroundings / "honest").rename(surroundings.with_name("honest"))
    list(fake_search(surroundings, SPACE, name="theirs").run())
    _forge(surroundings / "theirs")
    how(surroundings / "theirs")
    said: list[str] = []
    search = fake_search(surroundings, SPACE, name="mine", progress=said.append)
    happened = list(search.run())
    assert not [event for event in happened if isinstance(event, FitScored) and event.taken_from]
    assert same_results(search.cv_results_, honest.cv_results_)
    assert [event.passed_over for event in happened if isinstance(event, SearchStarted)] == [1]
    assert len([line for line in said if line.startswith("passed over 1 session that")]) == 1


def test_an_ordinary_folder_of_a_group_keeps_taking_over_on(surroundings: Path) -> None:
    before = os.umask(0o002)
    try:
        surroundings.mkdir(mode=0o775)
        list(fake_search(surroundings, SPACE, name="first").run())
        happened = list(fake_search(surroundings, SPACE, name="second").run())
    finally:
        os.umask(before)
    assert surroundings.stat().st_mode & 0o777 == 0o775
    assert {event.taken_from for event in happened if isinstance(event, FitScored)} == {"first"}
    assert [event.passed_over for event in happened if isinstance(event, SearchStarted)] == [0]


@only_root
def test_a_session_that_is_exchanged_while_it_is_open_is_not_believed(surroundings: Path) -> None:
    """In a folder that others can write to, theirs can take its name at any moment."""
    for name in ("mine", "theirs"):
        list(fake_search(surroundings, SPACE, name=name, fresh=True).run())
    _forge(surroundings / "theirs")
    _give(surroundings / "theirs")
    session = open_session("mine", surroundings)
    fit = session.state().combinations[0].fits[0]
    curve, predictions = fit.curve, fit.predictions
    assert curve is not None
    assert predictions is not None
    assert session.curve(curve) is not None
    assert session.predictions(predictions) is not None
    (surroundings / "mine").rename(surroundings / "aside")
    (surroundings / "theirs").rename(surroundings / "mine")
    for read in (session.state, session.liveness):
        with pytest.raises(SessionNotTrustedError, match=f"belongs to user {THEM}"):
            read()
    assert session.curve(curve) is None
    assert session.predictions(predictions) is None


@only_root
def test_a_session_of_a_colleague_is_looked_at_and_names_its_owner(
    surroundings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(fake_search(surroundings, SPACE, name="theirs", group_readable=True).run())
    _give(surroundings / "theirs")
    (summary,) = list_sessions(surroundings)
    assert (summary.owner, summary.status, summary.problem) == (str(THEM), "completed", "")
    assert about(summary).standing.endswith(f" · a session of {THEM}")
    shown = {}
    for command in ("list", "show", "export", "logs", "report"):
        arguments = [command] if command == "list" else [command, "theirs"]
        assert main([*arguments, "--sessions", str(surroundings)]) == 0
        shown[command] = capsys.readouterr()
    assert str(THEM) in shown["list"].out
    assert ["owner", str(THEM)] in [line.split() for line in shown["show"].out.splitlines()]
    assert f"theirs is a session of {THEM}" in shown["export"].err
    for words in (["delete", "theirs", "--yes"], ["stop", "theirs"], ["save", "theirs", "--to", "a.keras"]):
        assert main([*words, "--sessions", str(surroundings)]) == 2
        assert f"belongs to user {THEM}; it can be looked at, not worked on" in capsys.readouterr().err


@only_root
def test_a_checkpoint_of_another_user_is_not_continued(tmp_path: Path) -> None:
    import numpy as np

    from engine.spec.early_stopping import Patience
    from engine.training.checkpoint_file import KeptTraining, write_checkpoint
    from engine.training.interface import Checkpoint

    path = tmp_path / "a.checkpoint"
    kept = KeptTraining(Checkpoint(1, {"a": np.zeros(3, np.float32)}), 0.0, Patience(), np.zeros((1, 4)))
    write_checkpoint(path, kept, "key")
    assert read_checkpoint(path, "key") is not None
    os.chown(path, THEM, THEM)
    assert read_checkpoint(path, "key") is None
    path.unlink()
    os.mkfifo(path)
    assert read_checkpoint(path, "key") is None


@only_root
@pytest.mark.parametrize("name", ["meta.json", "training_labels.npy"])
def test_parsed_data_that_another_user_wrote_are_made_again(tmp_path: Path, name: str) -> None:
    from engine import data
    from engine.errors import DataError

    dataset = data.load("sample", num_words=1000, cache_dir=tmp_path)
    os.chown(dataset.folder / name, THEM, THEM)
    with pytest.raises(DataError, match=f"belongs to user {THEM}"):
        data.open_cached(dataset.folder)
    said: list[str] = []
    again = data.load("sample", num_words=1000, cache_dir=tmp_path, progress=said.append)
    assert any("it is made again" in line for line in said)
    assert again.digest == dataset.digest
    assert (again.folder / name).stat().st_uid == os.geteuid()
