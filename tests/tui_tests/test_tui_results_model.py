"""The results table's columns and their order, without a screen."""

from __future__ import annotations

import random

import pytest
from msgspec import structs
from rich.style import Style

from engine.session.events import (
    Allowance,
    CombinationDropped,
    Dropped,
    FitScored,
    PlannedCombination,
    RoundDecided,
    RungScored,
)
from engine.session.ranking import ranks
from engine.session.state import SearchState
from tests.tui_tests.scripted_search import Script
from tui.results.cells import STYLES, Cells
from tui.results.model import ResultsModel, short_titles
from tui.results.row_order import RowOrder


def state_of(script: Script) -> SearchState:
    state = SearchState()
    for event in script.half_way():
        state.apply(event)
    return state


@pytest.fixture
def state() -> SearchState:
    return state_of(Script())


@pytest.fixture
def model(state: SearchState) -> ResultsModel:
    model = ResultsModel()
    model.update(state)
    state.changed.clear()
    return model


def test_only_hyperparameters_that_vary_are_columns(model: ResultsModel) -> None:
    assert model.params == ["batch_size", "epochs", "hidden_units", "optimizer"]
    assert model.fixed["learning_rate__decay_rate"] == 0.8
    assert [column.title for column in model.columns][3:8] == ["f1_macro", "batch", "epochs", "units", "optimizer"]
    assert [column.title for column in model.columns if column.stays] == ["rank", "#", "mean ± std"]


def test_ranks_are_those_of_scikit_learn(model: ResultsModel, state: SearchState) -> None:
    complete = sorted(model.complete)
    expected = ranks([state.combinations[row].mean("accuracy")[0] for row in complete])
    assert [model.rank(row) for row in complete] == expected
    assert state.best is not None
    assert model.best == state.best.index


def test_ranks_follow_every_update() -> None:
    script, state, model = Script(), SearchState(), ResultsModel()
    for event in script.everything():
        state.apply(event)
        model.update(state)
        state.changed.clear()
    assert [model.rank(row) for row in range(model.rows)] == ranks([c.mean("accuracy")[0] for c in state.combinations])


def test_best_first_then_partial_then_missing_then_failed(model: ResultsModel, state: SearchState) -> None:
    state.apply(CombinationDropped(time=1.0, combination=0, reason="skipped"))  # was complete before: stays
    state.apply(CombinationDropped(time=1.0, combination=20, reason="skipped"))
    model.update(state)
    order = RowOrder(model)
    order.arrange()
    assert order.rows[0] == model.best
    assert (order.place(15) or 0) > max(
        order.rows.index(row) for row in model.complete
    )  # runs: has a mean over fewer folds
    assert order.rows[-1] == 20
    for descending in (True, False):
        order.sort_by("seconds", descending=descending)
        order.arrange()
        assert order.rows[-1] == 20
        assert order.rows[-2] not in model.complete


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("key", ["rank", "batch_size", "optimizer", "fold 1", "mean", "seconds", "status"])
def test_missing_values_come_last_in_either_direction(model: ResultsModel, key: str, descending: bool) -> None:
    order = RowOrder(model)
    order.sort_by(key, descending=descending)
    order.arrange()
    assert sorted(order.rows) == list(range(model.rows))
    column = model.values["mean" if key == "rank" else key]
    present = [column[row] is not None for row in order.rows if row not in model.last]
    assert present == sorted(present, reverse=True)


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("key", ["rank", "batch_size", "optimizer", "fold 1", "mean", "seconds", "status", "unknown"])
def test_rows_that_change_go_where_a_new_order_would_have_them(key: str, descending: bool) -> None:
    script, state, model = Script(), SearchState(), ResultsModel()
    followed, whole = RowOrder(model), RowOrder(model)
    for order in (followed, whole):
        order.sort_by(key, descending=descending)
        order.pinned = {3, 17}
    for number, event in enumerate(
        [*script.everything(), CombinationDropped(time=1.0, combination=20, reason="skipped")]
    ):
        state.apply(event)
        rows_before = model.rows
        changed = model.update(state)
        state.changed.clear()
        if number == 40:
            for order in (followed, whole):
                order.filter_by("optimizer=adam mean>0.7")
        before = list(followed.rows)
        moved = followed.arrange() if model.rows != rows_before or number == 40 else followed.follow(changed)
        whole.arrange()
        assert followed.rows == whole.rows
        assert moved == (before != followed.rows)
    assert 0 < len(followed.rows) < model.rows


def test_a_column_of_numbers_and_names_sorts(model: ResultsModel) -> None:
    values = [0.1, "CosineDecay", None, 0.01] * 6
    model.values["batch_size"] = list(values)
    order = RowOrder(model)
    order.sort_by("batch_size", descending=False)
    order.arrange()
    assert [values[row] for row in order.rows[:2]] == [0.01, 0.01]


def test_pinned_rows_stand_on_top(model: ResultsModel) -> None:
    order = RowOrder(model)
    order.toggle_pin(23)
    order.arrange()
    assert order.rows[0] == 23
    order.filter_by("optimizer=adam")
    order.arrange()
    assert order.rows[0] == 23  # what was pinned stays, whatever the filter says
    assert all(model.values["optimizer"][row] == "adam" for row in order.rows[1:])
    order.toggle_pin(23)
    order.arrange()
    assert 23 not in order.rows


def test_a_frozen_order_keeps_rows_where_they_are(model: ResultsModel) -> None:
    order = RowOrder(model)
    order.arrange()
    order.frozen = True
    before = list(order.rows)
    shuffled = list(model.values["mean"])
    random.Random(0).shuffle(shuffled)
    model.values["mean"][:] = shuffled
    assert not order.arrange()
    assert order.rows == before
    order.frozen = False
    assert order.arrange()


def test_a_filter_survives_a_new_model(state: SearchState) -> None:
    model = ResultsModel()
    order = RowOrder(model)
    order.filter_text = "optimizer=adam"
    order.arrange()
    assert order.rows == []
    assert order.problem
    model.update(state)
    order.arrange()
    assert len(order.rows) == 12
    assert not order.problem


def test_titles_are_short_and_different() -> None:
    assert short_titles(["hidden_units", "learning_rate__decay_rate", "optimizer__decay_rate"]) == {
        "hidden_units": "units",
        "learning_rate__decay_rate": "decay_rate",
        "optimizer__decay_rate": "optimizer__decay_rate",
    }


def _decided(**what: object) -> RoundDecided:
    return RoundDecided(time=1.0, strategy="halving", words="4 epochs: 1 of 2 go on to 20", **what)  # type: ignore[arg-type]


def test_later_stages_rank_before_earlier_ones_and_have_a_column() -> None:
    script, state, model = Script(), SearchState(), ResultsModel()
    for event in [*script.start(), *(event for fold in range(3) for event in script.fit(0, fold))]:
        state.apply(event)
    model.update(state)
    assert "stage" not in [column.key for column in model.columns]
    params = script.params[0]
    state.apply(_decided(added=[PlannedCombination(index=24, params=params, trainer="kernel", stage=1)]))
    script.params.append(params)
    for fold in range(3):
        for event in script.fit(24, fold):
            state.apply(structs.replace(event, scores={"accuracy": 0.1}) if isinstance(event, FitScored) else event)
    model.update(state)
    order = RowOrder(model)
    order.arrange()
    assert "stage" in [column.key for column in model.columns]
    assert (model.best, model.rank(24), model.rank(0)) == (24, 1, 2)
    assert order.rows[:2] == [24, 0]
    order.filter_by("stage=2")
    order.arrange()
    assert order.rows == [24]


def test_a_rung_is_drawn_with_its_epochs() -> None:
    script, state, model = Script(), SearchState(), ResultsModel()
    for event in script.start():
        state.apply(event)
    state.apply(_decided(allowed=[Allowance(index, epochs=4) for index in range(24)]))
    for fold, score in enumerate([0.73124, 0.75, 0.7]):
        rung = RungScored(
            time=1.0, combination=3, fold=fold, training=fold, epochs=4, scores={"accuracy": score}, seconds=1.0
        )
        state.apply(rung)
    state.apply(structs.replace(rung, combination=5))
    model.update(state)
    cells = Cells(model, RowOrder(model))
    cells.styles = {name: Style(dim=name == "dim") for name in STYLES}
    said = {segment.text.strip(): segment.style for segment in cells.row(3)}
    assert said.keys() >= {".7312@4", ".7500@4", ".7000@4", "rung 4"}
    assert "1 of 3" in {segment.text.strip() for segment in cells.row(5)}
    assert said[".7312@4"] == cells.styles["dim"]
    state.apply(_decided(dropped=[Dropped(3, "accuracy 0.7271 after 4 epochs")]))
    model.update(state)
    assert {".7312@4", "dropped"} <= {segment.text.strip() for segment in cells.row(3)}


def test_every_metric_is_a_column_to_read_to_filter_and_to_sort_by(model: ResultsModel, state: SearchState) -> None:
    order = RowOrder(model)
    order.filter_by("f1_macro > 0.6 accuracy<0.81 f1>0")
    order.sort_by("f1_macro")
    order.arrange()
    means = {row: state.combinations[row].mean("f1_macro") for row in model.complete}
    expected = sorted((row for row in means if 0.6 < means[row][0] < 0.61), key=lambda row: -means[row][0])
    assert len(expected) > 1
    assert order.rows == expected
    cells = Cells(model, order)
    cells.styles = {name: Style() for name in STYLES}
    cells.fit(200)
    mean, deviation = means[expected[0]]
    text = "".join(segment.text for segment in cells.row(expected[0]))
    assert f"{mean:.4f} ± {f'{deviation:.4f}'.removeprefix('0')}" in text
    waiting = next(row for row, values in enumerate(model.values["f1_macro"]) if values is None)
    assert "±" not in "".join(segment.text for segment in cells.row(waiting))


def test_metrics_without_room_are_the_first_out_of_sight() -> None:
    model = ResultsModel()
    model.update(state_of(Script(scoring=["accuracy", "f1_macro", "neg_log_loss", "balanced_accuracy"])))
    cells, titles = Cells(model, RowOrder(model)), {}
    cells.styles = {name: Style() for name in STYLES}
    for width in (40, 60, 90, 120, 200):
        cells.fit(width)
        titles[width] = [column.title for column in cells.columns]
        assert "".join(segment.text for segment in cells.heading()).split()[-1] == titles[width][-1]
        assert sorted(titles[width]) == sorted(column.title for column in model.columns)
    metrics = ["f1_macro", "neg_log_loss", "balanced_accuracy"]
    assert titles[40][-3:] == metrics
    assert titles[60][3] == "f1_macro"
    assert titles[60][-2:] == metrics[1:]
    assert titles[120][3:6] == titles[200][3:6] == metrics


def test_a_metric_with_the_name_of_a_hyperparameter_says_what_it_is() -> None:
    model = ResultsModel()
    script = Script(scoring=["accuracy", "epochs"])
    state = state_of(script)
    for _ in range(2):
        model.update(state)
        assert model.values["epochs"][0] == 5
        assert model.values["epochs (metric)"][0] == state.combinations[0].mean("epochs")[0]
        model.splits = 0  # as if a record of another shape had been read: everything is made anew
