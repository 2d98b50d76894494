"""What a form means: counted exactly where that is cheap, estimated where it is not; curves and class sizes."""

from __future__ import annotations

import pytest

from engine.data.facts import IMDB, REUTERS
from engine.plan.plan import make_plan
from engine.spec.combinations import combinations_of
from engine.spec.rate_curve import planned_rates
from engine.spec.space import grid_size
from tui.new_search.class_sizes import bars, class_sizes
from tui.new_search.form_study import study
from tui.new_search.schedule_curves import sampled_rates, schedule_curves_of
from tui.new_search.spec_summary import MOST_PLANNED, SpecSummary, summary_of
from tui.new_search.summary_pane import time_in_words
from tui.spec_text.form import Form, read


def summary(form: Form) -> SpecSummary:
    result, problems = summary_of(read(form))
    assert problems == {}
    assert result is not None
    return result


def form(**fields: str) -> Form:
    made = Form(spaces=({},))
    for name, text in fields.items():
        general = name in ("folds", "repeats", "strategy", "workers", "seed", "subsample", "dataset", "trainer")
        made = made.with_text(name if general else f"space.0.{name}", text)
    return made


def test_epochs_share_trainings() -> None:
    result = summary(form(epochs="5, 10, 20", batch_size="128, 512", workers="2"))
    assert (result.combinations, result.splits, result.fits, result.trainings) == (6, 3, 18, 6)
    assert (result.epochs, result.unshared_epochs) == (120, 210)
    assert result.is_exact
    assert result.workers == 2


def test_it_is_what_the_plan_says() -> None:
    one = form(
        epochs="5, 10",
        learning_rate="0.001, CosineDecay(initial_learning_rate=0.1, decay_epochs=all)",
        optimizer="sgd, adam(amsgrad=true)",
    )
    spec = read(one).spec
    assert spec is not None
    plan = make_plan(spec, combinations_of(spec))
    result = summary(one)
    assert (result.fits, result.trainings, result.epochs) == (plan.fits, len(plan.trainings), plan.epochs)
    assert result.notes == plan.notes
    assert result.seconds >= plan.cost / result.workers


def test_a_very_large_grid_is_estimated_without_a_plan() -> None:
    large = form(
        epochs="5, 10, 20",
        batch_size=", ".join(str(size) for size in range(32, 400)),
        dropout=", ".join(f"0.{share:02}" for share in range(90)),
        workers="1",
    )
    result = summary(large)
    assert result.combinations == 3 * 368 * 90 > MOST_PLANNED
    assert not result.is_exact
    assert result.trainings == 368 * 90 * 3
    # Every training runs 20 epochs and serves three combinations.
    assert result.epochs == pytest.approx(result.trainings * 20)
    assert result.unshared_epochs == pytest.approx(result.trainings * 35)
    assert "20,000" in result.notes[0]


def test_an_estimate_is_near_the_truth() -> None:
    small = form(epochs="5, 10", dropout="0.0, 0.1, 0.2", batch_size="64, 128", workers="1")
    spec = read(small).spec
    assert spec is not None
    assert grid_size(spec.spaces) == 12
    exact = summary(small)
    drawn = summary(small.with_text("strategy", "random 11"))
    assert drawn.combinations == 11
    assert not drawn.is_exact
    assert drawn.seconds == pytest.approx(exact.seconds, rel=0.5)


@pytest.mark.parametrize(("drawn", "combinations", "exact"), [("5", 5, False), ("500", 6, True)])
def test_random_search_draws_no_more_than_there_is(drawn: str, combinations: int, exact: bool) -> None:
    result = summary(form(epochs="5, 10, 20", batch_size="128, 512", strategy=f"random {drawn}"))
    assert (result.combinations, result.is_exact) == (combinations, exact)


def test_distributions_count_as_many_as_are_drawn() -> None:
    result = summary(form(learning_rate="1e-4..1e-1 log", hidden_units="16..512 int", strategy="random 1000"))
    assert (result.combinations, result.fits) == (1000, 3000)


def test_keras_is_noted_where_combinations_are_drawn() -> None:
    notes = summary(form(optimizer="rmsprop, lion", strategy="random 30", learning_rate="1e-4..1e-1 log")).notes
    assert any(note.startswith("some combinations run in the keras trainer") and "lion" in note for note in notes)


def test_keras_is_noted() -> None:
    result = summary(form(optimizer="adam", trainer="keras"))
    assert any("keras trainer" in note for note in result.notes)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (42.4, "42 s"), (240, "4 min"), (9000, "2.5 h"), (400_000, "4.6 days")],
)
def test_time_in_words(seconds: float, words: str) -> None:
    assert time_in_words(seconds) == words


# The schedule lab


def remarks(rates: str, **fields: str) -> list[tuple[str, bool]]:
    spec = read(form(learning_rate=rates, **fields)).spec
    assert spec is not None
    return [(curve.remark, curve.is_odd) for curve in schedule_curves_of(spec).curves]


@pytest.mark.parametrize(
    ("rates", "says", "odd"),
    [
        ("0.001", "constant", False),
        ("ExponentialDecay(initial_learning_rate=0.1, decay_epochs=1, decay_rate=0.8)", "0.1 → 0.0108", False),
        ("ExponentialDecay(initial_learning_rate=0.1, decay_steps=100000, decay_rate=0.96)", "never decays", True),
        ("InverseTimeDecay(initial_learning_rate=0.1, decay_epochs=1, decay_rate=0)", "never decays", True),
        (
            "PolynomialDecay(initial_learning_rate=0.1, decay_steps=100, end_learning_rate=0.0)",
            "reaches zero at epoch 2.1 of 10",
            True,
        ),
        ("ExponentialDecay(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.1)", "reaches zero", True),
        ("PolynomialDecay(initial_learning_rate=0.1, decay_epochs=2)", "unchanged from epoch 2", False),
        ("CosineDecay(initial_learning_rate=0.1, decay_epochs=all)", "0.1 →", False),
        ("PiecewiseConstantDecay(boundary_epochs=[3, 6], values=[0.1, 0.01, 0.001])", "0.1 → 0.001", False),
        ("CosineDecayRestarts(initial_learning_rate=0.1, first_decay_epochs=2)", "0.1 →", False),
    ],
)
def test_odd_schedules_are_pointed_out(rates: str, says: str, odd: bool) -> None:
    ((remark, is_odd),) = remarks(rates)
    assert says in remark
    assert is_odd is odd


def test_a_schedule_that_stretches_has_a_curve_for_each_number_of_epochs() -> None:
    spec = read(
        form(epochs="5, 10", learning_rate="0.1, CosineDecay(initial_learning_rate=0.1, decay_epochs=all)")
    ).spec
    assert spec is not None
    schedules = schedule_curves_of(spec)
    assert [curve.rates.epochs for curve in schedules.curves] == [10, 5, 10]
    assert [curve.label for curve in schedules.curves][1].endswith("over 5 epochs")


def test_distributions_are_drawn_at_their_ends() -> None:
    spec = read(form(learning_rate="1e-4..1e-1 log", strategy="random 9")).spec
    assert spec is not None
    assert [curve.rates.rates[0] for curve in schedule_curves_of(spec).curves] == [1e-4, 1e-1]


def test_without_a_learning_rate_each_optimizer_has_its_own() -> None:
    spec = read(form(optimizer="sgd, adam")).spec
    assert spec is not None
    assert [(curve.label, curve.rates.rates[0]) for curve in schedule_curves_of(spec).curves] == [
        ("sgd's own rate", 0.01),
        ("adam's own rate", 0.001),
    ]


def test_batch_sizes_take_turns_and_curves_are_capped() -> None:
    rates = ", ".join(f"0.0{number}" for number in range(1, 10)) + ", 0.1, 0.2, 0.3, 0.4, 0.5"
    spec = read(form(batch_size="128, 512", learning_rate=rates)).spec
    assert spec is not None
    first, second, third = (schedule_curves_of(spec, number) for number in range(3))
    assert (first.batch_size, second.batch_size, third.batch_size) == (128, 512, 128)
    assert (len(first.curves), first.left_out) == (12, 2)


def test_sampled_rates_are_those_of_the_training() -> None:
    params = {
        "epochs": 3,
        "learning_rate": "ExponentialDecay",
        "learning_rate__initial_learning_rate": 0.1,
        "learning_rate__decay_epochs": 1,
        "learning_rate__decay_rate": 0.5,
    }
    sampled, whole = sampled_rates(params, 50), planned_rates(params, 50)
    assert (
        dict(zip(whole.steps, whole.rates, strict=True)).items()
        >= dict(zip(sampled.steps, sampled.rates, strict=True)).items()
    )


def test_a_lab_of_a_long_training_samples_its_rates() -> None:
    spec = read(
        form(
            epochs="10000",
            batch_size="1",
            learning_rate="CosineDecayRestarts(initial_learning_rate=0.1|0.2|0.3, first_decay_epochs=all)",
        )
    ).spec
    assert spec is not None
    schedules = schedule_curves_of(spec)
    assert max(len(curve.rates.steps) for curve in schedules.curves) < 10_000
    assert schedules.curves[0].rates.steps[-1] == 10_000 * 5988 - 1


# Data


def test_class_sizes_are_the_data_sets_own() -> None:
    sizes = class_sizes(REUTERS, 8982, 3)
    assert (len(sizes.sizes), sum(sizes.sizes), sizes.sizes[0], sizes.names[0]) == (46, 8982, 3159, "earn")
    assert sizes.thin == 0
    assert class_sizes(REUTERS, 1000, 3).thin == 14
    assert class_sizes(IMDB, 25_000, 3).sizes == (12_500, 12_500)


def test_bars_have_their_height_and_the_smallest_shows() -> None:
    lines = bars((100, 25, 1, 0), 4)
    assert len(lines) == 4
    assert [line[0] for line in lines] == ["█"] * 4
    assert [line[1] for line in lines] == [" ", " ", "█", "█"]
    assert lines[-1][2] not in " █"
    assert lines[-1][3] == " "
    assert bars((), 2) == ["", ""]


def test_a_study_says_everything_or_what_is_wrong() -> None:
    result = study(Form(), 0, None)
    assert result.spec is not None
    assert result.summary is not None
    assert result.curves is not None
    assert result.data is not None
    assert result.hints["space.0.epochs"] == "3 values"
    wrong = study(Form().with_text("folds", "1"), 0, None)
    assert (wrong.spec, wrong.summary) == (None, None)
    assert list(wrong.problems) == ["folds"]
    # What is not wrong is drawn all the same.
    assert (wrong.curves, wrong.data) == (result.curves, result.data)
    no_rate = study(Form().with_text("space.0.learning_rate", "ExponentialDecay"), 0, None)
    assert no_rate.curves is None
    assert no_rate.data == result.data
    assert "a schedule with its arguments, one of ExponentialDecay" in no_rate.problems["space.0.learning_rate"]
    half = study(Form().with_text("space.0.learning_rate", "ExponentialDecay(decay_rate=0.9)"), 0, None)
    assert half.problems["space.0.learning_rate"].startswith("ExponentialDecay(decay_rate=0.9) is not accepted")
