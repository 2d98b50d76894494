"""One broken session is named with its reason by every command that reads, beside others that work as before."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.cli.main import main
from engine.errors import SessionUnreadableError
from engine.session import events
from engine.session.listing import list_sessions
from engine.session.session import open_session
from tests.broken_sessions import DAMAGED, HARMLESS, UNREADABLE, lines_of, made, sound_session, write_lines

if TYPE_CHECKING:
    from pathlib import Path

READING = [
    ["show"],
    ["show", "--json"],
    ["logs"],
    ["export", "--format", "csv"],
    ["export", "--format", "json"],
    ["report"],
    ["report", "--json"],
    ["errors"],
    ["zoom"],
]


@pytest.fixture
def sessions(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FOLDWATCH_SESSIONS", str(surroundings))
    sound_session(surroundings, "bad")
    sound_session(surroundings, "good")
    return surroundings


def _run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind == "an endless line" else []) for kind in UNREADABLE]
)
def test_what_cannot_be_read_says_why_in_a_line(kind: str, sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_it, why = UNREADABLE[kind]
    break_it(sessions / "bad")
    listed = {one.id: one for one in list_sessions(sessions)}
    assert why in listed["bad"].problem
    assert (listed["good"].status, listed["good"].fits_finished) == ("completed", 4)
    for command in (*READING, ["resume"], ["pause"], ["skip", "--combination", "0"]):
        code, out, err = _run([command[0], "bad", *command[1:]], capsys)
        assert code == SessionUnreadableError.exit_code, command
        assert out == "" or command == ["logs"]  # which tells what came before
        assert err.count("\n") == 1
        assert why in err
    code, out, err = _run(["list"], capsys)
    assert (code, err) == (0, "")
    assert "unreadable" in out
    assert _run(["show", "good"], capsys)[0] == 0


@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_named_by_every_command_that_reads(
    kind: str, sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it, why = DAMAGED[kind]
    break_it(sessions / "bad")
    state = open_session("bad", sessions).state()
    assert any(why in one for one in state.damages), state.damages
    assert not state.is_complete
    listed = {one.id: one for one in list_sessions(sessions)}
    assert (listed["bad"].status, listed["bad"].damages) == ("damaged", len(state.damages))
    assert (listed["bad"].fits_finished, listed["bad"].fits_total) == (state.fits_finished, state.fits_total)
    assert (listed["good"].status, listed["good"].damages) == ("completed", 0)
    for command in READING:
        code, out, err = _run([command[0], "bad", *command[1:]], capsys)
        assert code in (0, 2), (command, err)
        told = json.loads(out) if code == 0 and "json" in " ".join(command) else None
        assert any(why in one for one in told["damages"]) if told else why in out + err, command
        assert "resume bad" in out + err or told, command
    assert "damaged" in _run(["list"], capsys)[1]
    assert json.loads(_run(["list", "--json"], capsys)[1])[0]["damages"] >= 0
    # What is asked of a search that is damaged is not answered with "nothing is left to run".
    assert "complete" not in _run(["resume", "bad", "--data-dir", "/nowhere"], capsys)[2].partition("damaged")[0]


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_beside_the_record_or_out_of_order_breaks_nothing(
    kind: str, sessions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    HARMLESS[kind](sessions / "bad")
    assert {one.id: one.problem for one in list_sessions(sessions)} == {"bad": "", "good": ""}
    assert len(json.loads(_run(["list", "--json"], capsys)[1])) == 2
    for command in READING:
        code, _, err = _run([command[0], "bad", *command[1:]], capsys)
        assert code in (0, 2, 65), (command, err)
        assert err.count("\n") <= 2


def test_the_best_has_no_score_where_a_fold_defines_none(sessions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = lines_of(sessions / "bad")
    write_lines(sessions / "bad", [line for line in lines if b'"combination":1,"fold"' not in line])
    HARMLESS["a score that no fold defines"](sessions / "bad")
    assert open_session("bad", sessions).state().best is not None
    listed = {one["id"]: one for one in json.loads(_run(["list", "--json"], capsys)[1])}
    assert listed["bad"]["best_score"] is None


def test_scores_that_come_first_count_once_their_combinations_are_known(sessions: Path) -> None:
    HARMLESS["scores first"](sessions / "bad")
    state = open_session("bad", sessions).state()
    assert (state.fits_finished, state.fits_total, state.damages) == (4, 4, [])


def test_every_number_of_every_event_has_bounds() -> None:
    """What was made once for each kind of event is refused with any number of it out of all bounds."""
    for event in made():
        fields = json.loads(events.to_json(event))
        for name, value in fields.items():
            if isinstance(value, int | float) and not isinstance(value, bool) and name != "seed":
                for wild in (-1e307, 1e307, 2**60, -(2**60)):
                    if isinstance(value, int) and isinstance(wild, float):
                        continue
                    with pytest.raises(ValueError, match=r"Expected `(int|float)`"):
                        events.from_json(json.dumps({**fields, name: wild}))
