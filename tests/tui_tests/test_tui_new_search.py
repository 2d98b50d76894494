"""The new-search screen: typing, what it means, the lab, files, commands and starting, by every key."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input, Static

from engine.spec.combinations import combinations_of
from engine.spec.spec import SearchSpec
from tests.marks import first_of
from tests.tui_tests.pilots import shown, until
from tests.tui_tests.small_sessions import make_session
from tui.app import FoldwatchApp
from tui.home.starting import StartingScreen
from tui.live.screen import LiveScreen
from tui.new_search.form_fields import Choices, FieldInput
from tui.new_search.schedule_lab import ScheduleLab
from tui.new_search.screen import NewSearchScreen
from tui.new_search.summary_pane import SummaryPane
from tui.parts.dialogs import ChoiceScreen, PathScreen, TextScreen
from tui.parts.keys_screen import KeysScreen
from tui.spec_text.form import Form

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from textual.pilot import Pilot
    from textual.widget import Widget

RATES = "0.001, ExponentialDecay(initial_learning_rate=0.1|0.5, decay_epochs=1, decay_rate=0.8)"


@asynccontextmanager
async def form_open(
    sessions: Path, form: Form | None = None, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[Pilot[Any], NewSearchScreen]]:
    """An app over whose home the form is open and worked out."""
    app = FoldwatchApp(sessions=sessions, **options)
    async with app.run_test(size=size) as pilot:
        screen = NewSearchScreen(form)
        await app.push_screen(screen)
        await until(pilot, lambda: is_worked_out(screen), "what the form means")
        yield pilot, screen


def is_worked_out(screen: NewSearchScreen) -> bool:
    return screen.model.study is not None and screen.model.study.form == screen.model.form


async def worked_out(pilot: Pilot[Any], screen: NewSearchScreen) -> None:
    await pilot.pause()
    await until(pilot, lambda: is_worked_out(screen), "what the form means")


def focus_of(screen: NewSearchScreen) -> Widget | None:
    return screen.focused


def focused_text(screen: NewSearchScreen) -> FieldInput:
    assert isinstance(screen.focused, FieldInput)
    return screen.focused


# Typing


async def test_what_it_means_follows_typing(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        assert "12 combinations x 3 folds = 36 fits in 12 trainings" in shown(screen.app)
        assert focused_text(screen).value == "5, 10, 20"
        await pilot.press("comma", "3", "0")
        await worked_out(pilot, screen)
        text = shown(screen.app)
        assert "16 combinations x 3 folds = 48 fits in 12 trainings" in text
        assert "4 values" in text
        assert "less work" in text
        assert "on 2 workers" in text or "worker" in text


async def test_mistakes_are_marked_at_their_field_in_the_engines_words(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        await pilot.press("comma", "x")
        await worked_out(pilot, screen)
        field = screen._editor.fields["epochs"]
        assert field.has_class("-wrong")
        assert '↑ "x" is not accepted; accepted: a' in shown(screen.app)
        assert screen.model.study is not None
        assert screen.model.study.problems["space.0.epochs"].startswith(
            '"x" is not accepted; accepted: a whole number at'
        )
        assert "1 field to correct" in shown(screen.app)
        assert screen._panel.command == ""
        await pilot.press("backspace", "backspace")
        await worked_out(pilot, screen)
        assert not field.has_class("-wrong")
        assert screen._panel.command != ""


@pytest.mark.slow
async def test_every_field_is_reached_by_arrows_and_takes_text(tmp_path: Path) -> None:
    async with form_open(tmp_path, size=(80, 24)) as (pilot, screen):
        fields = screen._editor.fields
        order = list(fields)
        screen.action_edit()
        visited = []
        for _ in order:
            await pilot.press("down")
            await pilot.pause()
            visited.append(screen._editor.last_field)
            assert screen.focused is not None
            assert screen._editor.content_region.contains_region(screen.focused.region), visited
        assert sorted(visited) == sorted(order)
        screen.action_move(1)
        screen.action_move(-1)
        screen.action_move(-1)  # faster than the loop: every step counts
        await pilot.pause()
        assert screen._editor.last_field == order[order.index(visited[-1]) - 1]
        for name, field in fields.items():
            screen._editor.edit(name)
            await pilot.pause()
            if isinstance(field._editor, Choices):
                before = field.value
                await pilot.press("right")
                assert field.value != before
                await pilot.press("left")
                assert field.value == before
                await pilot.press("space")
                assert screen.model.form.text(field.field_name) == field.value
            else:
                await pilot.press("end", "9")
                assert screen.model.form.text(field.field_name).endswith("9"), name


@pytest.mark.slow
async def test_data_are_chosen_and_described(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        assert "46 topics" in shown(screen.app)
        assert "earn 3,159" in shown(screen.app)
        screen._editor.edit("dataset")
        await pilot.press("right")
        await worked_out(pilot, screen)
        assert "25,000 training rows · 25,000 to test · 2 classes" in shown(screen.app)
        await pilot.press("right")
        await worked_out(pilot, screen)
        assert "synthetic newswires" in shown(screen.app)
        assert "built in" in shown(screen.app)


@pytest.mark.slow
async def test_a_data_folder_that_lacks_the_file_is_said(tmp_path: Path) -> None:
    async with form_open(tmp_path, data_folder=Path("/nowhere"), size=(200, 60)) as (_, screen):
        assert "/nowhere/reuters.npz: no such file" in shown(screen.app)


@pytest.mark.slow
async def test_a_choice_is_made_by_mouse(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        choices = screen._editor.fields["dataset"]._editor
        await pilot.click(choices, offset=(13, 0))
        assert screen.model.form.text("dataset") == "imdb"


@pytest.mark.slow
async def test_numbers_are_nudged_in_their_field_and_words_completed(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        await pilot.press("end", "shift+up")
        assert focused_text(screen).value == "5, 10, 21"
        await pilot.press("home", "shift+down")
        assert focused_text(screen).value == "4, 10, 21"
        focused_text(screen).value = "1e999, " + "9" * 400
        await pilot.press("home", "shift+up", "end", "shift+up")  # neither is a number
        assert focused_text(screen).value == "1e999, " + "9" * 400
        screen._editor.edit("optimizer")
        await pilot.press(*"rms")
        box = focused_text(screen)
        await until(pilot, lambda: box._suggestion == "rmsprop")
        await pilot.press("right")
        assert box.value == "rmsprop"


@pytest.mark.slow
async def test_pasted_control_characters_are_made_visible(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        focused_text(screen).replace("\x1b]52;c;aGk=\x07\u202e", 0, 3)
        await worked_out(pilot, screen)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown(screen.app))


@pytest.mark.slow
async def test_typing_is_not_held_up_by_a_very_large_grid(tmp_path: Path) -> None:
    sizes = ", ".join(str(size) for size in range(32, 432))
    rates = ", ".join(f"0.{rate:03}" for rate in range(1, 46))
    form = Form(spaces=({"epochs": "5", "batch_size": sizes, "learning_rate": rates},))
    async with form_open(tmp_path, form) as (pilot, screen):
        assert "18,000 combinations" in shown(screen.app)
        screen._editor.edit("epochs")
        await pilot.press("end", "0")
        await pilot.press("0")
        assert focused_text(screen).value == "500"
        await worked_out(pilot, screen)
        assert screen.model.study is not None
        assert screen.model.study.summary is not None
        assert screen.model.study.summary.epochs == 18_000 * 3 * 500


# Spaces


@pytest.mark.slow
async def test_spaces_are_added_shown_and_removed(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        await pilot.press("f7")
        assert "there is one space" in screen._panel.message
        await pilot.press("f9")
        assert "the only space stays" in screen._panel.message
        await pilot.press("f8")
        await worked_out(pilot, screen)
        assert "space 2 of 2" in shown(screen.app)
        assert "24 combinations" in shown(screen.app)
        screen._editor.edit("epochs")
        await pilot.press("end", "comma", "x")
        await worked_out(pilot, screen)
        assert list(screen.model.study.problems if screen.model.study else {}) == ["space.1.epochs"]
        await pilot.press("f7")
        await worked_out(pilot, screen)
        assert "correct space 2" in shown(screen.app)
        assert screen._editor.fields["epochs"].value == "5, 10, 20"
        await pilot.press("f7", "f9")
        await worked_out(pilot, screen)
        assert len(screen.model.form.spaces) == 1
        assert screen.model.study is not None
        assert screen.model.study.problems == {}


# The schedule lab


@pytest.mark.slow
async def test_the_lab_draws_every_schedule_and_nudges_numbers(tmp_path: Path) -> None:
    form = Form().with_text("space.0.learning_rate", RATES)
    async with form_open(tmp_path, form) as (pilot, screen):
        lab = screen.query_one(ScheduleLab)
        assert lab.schedules is not None
        assert [curve.label for curve in lab.schedules.curves] == [
            "0.001",
            "Exp 0.1, decay rate 0.8, per epoch",
            "Exp 0.5, decay rate 0.8, per epoch",
        ]
        await pilot.press("f6")
        assert lab.has_focus
        await pilot.press("right", "right", "up")
        assert "0.1|0.51" in screen.model.form.text("space.0.learning_rate")
        await worked_out(pilot, screen)
        assert lab.schedules.curves[2].rates.rates[0] == 0.51
        assert screen._editor.fields["learning_rate"].value == screen.model.form.text("space.0.learning_rate")
        await pilot.press("plus", "minus", "down")
        assert "0.1|0.5," in screen.model.form.text("space.0.learning_rate")
        await pilot.press("left", "j")
        assert "0.099|0.5" in screen.model.form.text("space.0.learning_rate")
        await pilot.press("k", "u", "l")
        assert (lab.in_steps, lab.logarithmic) == (True, True)
        assert "steps, log" in shown(screen.app)
        await pilot.press("b")
        await until(pilot, lambda: lab.schedules is not None and lab.schedules.batch_size == 512)
        assert "batch 512, 12 steps an epoch" in shown(screen.app)
        await pilot.press("escape")
        assert isinstance(screen.focused, FieldInput)


@pytest.mark.slow
async def test_the_lab_points_out_what_is_odd(tmp_path: Path) -> None:
    form = Form().with_text(
        "space.0.learning_rate",
        "ExponentialDecay(initial_learning_rate=0.1, decay_steps=100000, decay_rate=0.96), "
        "PolynomialDecay(initial_learning_rate=0.1, decay_steps=100, end_learning_rate=0.0)",
    )
    async with form_open(tmp_path, form, (200, 60)) as (_, screen):
        text = shown(screen.app)
        assert "▲ never decays" in text
        assert "▲ reaches zero at epoch 2.1 of 20" in text


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60), (40, 12)])
async def test_every_size_is_drawn(tmp_path: Path, size: tuple[int, int]) -> None:
    form = Form().with_text("space.0.learning_rate", RATES)
    async with form_open(tmp_path, form, size) as (pilot, screen):
        assert "combinations x" in shown(screen.app)
        await until(pilot, lambda: "epochs" in shown(screen.app), "the field with the cursor in view")
        await pilot.press("f6")
        await pilot.pause()
        assert "schedule lab" in shown(screen.app)
        await pilot.press("f6")
        await pilot.pause()
        assert screen.query_one("#form").display
        assert isinstance(screen.focused, FieldInput)


# Files and commands


@pytest.mark.slow
async def test_save_load_and_the_exact_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def copy(app: Any, text: str) -> str:
        copied.append(text)
        return "copied"

    monkeypatch.setattr("tui.new_search.commands.copy", copy)
    sessions, target = tmp_path / "sessions", tmp_path / "mine.toml"
    form = Form().with_text("space.0.learning_rate", RATES).with_text("workers", "3").with_text("name", "mine-01")
    async with form_open(sessions, form) as (pilot, screen):
        private = sessions / ".specs" / "mine-01.toml"
        command = f"foldwatch run {private} --name mine-01 --workers 3 --sessions {sessions}"
        assert screen._panel.command == command
        await pilot.press("f4")
        assert copied == [command]
        assert screen.model.study is not None
        assert SearchSpec.read(private) == screen.model.study.spec
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
        screen.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, target.exists)
        assert SearchSpec.read(target) == screen.model.study.spec
        assert screen._panel.command.startswith(f"foldwatch run {target} --name mine-01")
        screen._editor.edit("epochs")
        await pilot.press("end", "0")
        await worked_out(pilot, screen)
        assert screen._panel.command == command
        target.write_text('dataset = "imdb"\nfolds = 5\n[space]\ndropout = [0.1, 0.2]\n')
        await pilot.press("f3")
        await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
        screen.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: screen.model.form.text("dataset") == "imdb")
        await worked_out(pilot, screen)
        assert screen.model.form.text("folds") == "5"
        assert screen.model.form.text("space.0.dropout") == "0.1, 0.2"
        assert screen.model.form.text("space.0.epochs") == ""
        assert f"run {target}" in screen._panel.command


@pytest.mark.slow
async def test_a_file_that_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        for key, path, why in (
            ("f3", tmp_path / "absent.toml", "cannot be read"),
            ("f2", tmp_path / "absent" / "spec.toml", "cannot be written"),
        ):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
            box = screen.app.screen.query_one(Input)
            box.value = str(path)
            await pilot.press("enter")
            refusal = screen.app.screen.query_one("#refusal", Static)
            await until(pilot, lambda why=why, refusal=refusal: why in str(refusal.content))  # type: ignore[misc]
            assert box.value == str(path)
            await pilot.press("escape")
            await until(pilot, lambda: screen.app.screen is screen)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "is_written"), [("escape", False), ("y", True)])
async def test_a_file_that_is_there_is_written_over_only_when_asked_for(
    tmp_path: Path, answer: str, is_written: bool
) -> None:
    target = tmp_path / "mine.toml"
    target.write_text("# mine\n")
    async with form_open(tmp_path) as (pilot, screen):
        await pilot.press("f2")
        await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
        screen.app.screen.query_one(Input).value = str(target)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(screen.app.screen, ChoiceScreen))
        assert target.read_text() == "# mine\n"
        await pilot.press(answer)
        await until(pilot, lambda: screen.is_current)
        assert (target.read_text() != "# mine\n") == is_written
        assert ("the spec is in" in screen._panel.message) == is_written


@pytest.mark.parametrize("size", first_of([((120, 40),), ((80, 24),), ((120, 28),)]))
async def test_what_it_means_is_whole_or_says_that_it_is_not(tmp_path: Path, size: tuple[int, int]) -> None:
    async with form_open(tmp_path, Form().with_text("strategy", "racing 5"), size=size) as (pilot, screen):
        pane = screen.query_one(SummaryPane)
        await until(pilot, lambda: pane.size.height == min(len(pane._lines(pane.size.width)), pane.size.height))
        await until(pilot, lambda: ("the most there" in shown(screen.app)) != ("…" in str(pane.render())))
        assert ("the most there" in shown(screen.app)) == (size == (120, 40))
        await pilot.press("f10")
        await until(pilot, lambda: isinstance(screen.app.screen, TextScreen))
        assert "the most there" in " ".join(shown(screen.app).split())


@pytest.mark.slow
async def test_none_is_saved_and_loaded_like_any_other_value(tmp_path: Path) -> None:
    text = "sgd(clipnorm=none|1.0)"
    async with form_open(tmp_path, Form().with_text("space.0.optimizer", text)) as (pilot, screen):
        for key in ("f2", "f3"):
            await pilot.press(key)
            await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
            screen.app.screen.query_one(Input).value = str(tmp_path / "spec.toml")
            await pilot.press("enter")
            await until(pilot, lambda: screen.app.screen is screen)
            screen.commands.put_form(screen.model.form if key == "f3" else Form(), screen._panel.message)
        assert screen.model.form.text("space.0.optimizer") == text
        spec = SearchSpec.read(tmp_path / "spec.toml")
    assert [one["optimizer__clipnorm"] for one in combinations_of(spec)[:2]] == [None, 1.0]


# Starting


@pytest.mark.slow
async def test_a_form_with_mistakes_does_not_start(tmp_path: Path) -> None:
    async with form_open(tmp_path, Form().with_text("folds", "1")) as (pilot, screen):
        await pilot.press("f5")
        assert "nothing to start yet" in screen._panel.message
        assert screen._editor.last_field == "folds"
        assert screen.app.screen is screen


@pytest.mark.slow
async def test_what_only_the_plan_can_tell_does_not_start(tmp_path: Path) -> None:
    async with form_open(tmp_path, Form().with_text("space.0.batch_size", "5989")) as (pilot, screen):
        assert screen.model.study is not None
        assert list(screen.model.study.problems) == ["space.0.batch_size"]
        await pilot.press("f5")
        assert screen._editor.last_field == "batch_size"


@pytest.mark.slow
async def test_a_name_that_is_taken_does_not_start(tmp_path: Path) -> None:
    make_session(tmp_path, "taken-01")
    async with form_open(tmp_path, Form().with_text("name", "taken-01")) as (pilot, screen):
        await pilot.press("f5")
        assert "taken-01 exists already" in screen._panel.message
        assert screen._editor.last_field == "name"


@pytest.mark.slow
async def test_start_watches_the_session_once_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    class Engine:
        has_ended = succeeded = False

        def __init__(self, arguments: list[str], done: str, **options: Any) -> None:
            commands.append(arguments)

        def start(self) -> None:
            pass

    monkeypatch.setattr("tui.home.starting.EngineCommand", Engine)
    async with form_open(tmp_path, Form().with_text("workers", "2")) as (pilot, screen):
        app = screen.app
        await pilot.press("escape", "s")
        await until(pilot, lambda: isinstance(app.screen, StartingScreen))
        private = tmp_path / ".specs" / "reuters-01.toml"
        assert commands[0][:6] == ["run", str(private), "--name", "reuters-01", "--workers", "2"]
        assert SearchSpec.read(private).to_values()["space"]["epochs"] == [5, 10, 20]
        make_session(tmp_path, "reuters-01")
        await until(pilot, lambda: isinstance(app.screen, LiveScreen))
        await pilot.press("escape")
        await until(pilot, lambda: screen not in app.screen_stack, "the form has done its work")


@pytest.mark.slow
async def test_an_engine_that_ends_at_once_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tmp_path / "engine.sh"
    engine.write_text("#!/bin/sh\nprintf 'no \\033]52;c;aGk=\\007such data\\n' >&2\nexit 2\n")
    engine.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(engine))
    async with form_open(tmp_path / "sessions") as (pilot, screen):
        app = screen.app
        await pilot.press("f5")
        await until(pilot, lambda: "such data" in shown(app))
        assert not {"\x1b", "\x07"} & set(shown(app))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the form as it was")


@pytest.mark.slow
async def test_read_only_does_not_start(tmp_path: Path) -> None:
    async with form_open(tmp_path, read_only=True) as (pilot, screen):
        await pilot.press("f5")
        assert "read-only" in screen._panel.message


# Plain keys outside the fields


@pytest.mark.slow
async def test_plain_keys(tmp_path: Path) -> None:
    async with form_open(tmp_path, Form().with_text("folds", "7")) as (pilot, screen):
        await pilot.press("escape")
        assert focus_of(screen) is None
        await pilot.press("i")
        assert isinstance(focus_of(screen), FieldInput)
        await pilot.press("escape", "w")
        await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
        await pilot.press("escape")
        await pilot.press("o")
        await until(pilot, lambda: isinstance(screen.app.screen, PathScreen))
        await pilot.press("escape")
        await pilot.press("y")
        assert (tmp_path / ".specs" / "reuters-01.toml").exists()
        await pilot.press("R")
        await until(pilot, lambda: isinstance(screen.app.screen, ChoiceScreen))
        await pilot.press("escape")
        assert screen.model.form.text("folds") == "7"
        await pilot.press("R", "y")
        assert screen.model.form == Form()
        await pilot.press("R")
        assert screen.is_current, "nothing is lost"
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(screen.app.screen, KeysScreen))
        assert "1e-4..1e-1 log" in "\n".join(str(static.content) for static in screen.app.screen.query(Static))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: screen not in screen.app.screen_stack)


def test_the_screen_imports_nothing_heavy() -> None:
    import subprocess

    code = (
        "import sys; import tui.app, tui.home.screen, tui.new_search.screen, tui.home.compare;"
        "from tui.new_search.form_study import study;"
        "from tui.spec_text.form import Form; study(Form().with_text('strategy', 'random 30'), 0, None);"
        "print([name for name in ('keras', 'tensorflow', 'sklearn', 'scipy', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_quitting_asks_where_something_was_typed(tmp_path: Path) -> None:
    async with form_open(tmp_path) as (pilot, screen):
        await pilot.press("1", "escape", "q")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceScreen))
        await pilot.press("escape")
        assert pilot.app.screen is screen
        await pilot.press("q", "w")
        await until(pilot, lambda: isinstance(pilot.app.screen, PathScreen))
        await pilot.press("escape", "q", "y")
        await until(pilot, lambda: pilot.app._exit)
    async with form_open(tmp_path / "other") as (pilot, _):
        await pilot.press("escape", "q")
        await until(pilot, lambda: pilot.app._exit)


async def test_the_field_with_the_cursor_stays_in_view_on_a_smaller_terminal(tmp_path: Path) -> None:
    async with form_open(tmp_path, size=(120, 50)) as (pilot, screen):
        await pilot.press("up", "up")
        field = focus_of(screen)
        assert field is not None
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: screen.query_one("#form").region.contains_region(field.region))
