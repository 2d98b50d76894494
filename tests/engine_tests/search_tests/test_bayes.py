"""Bayesian optimization: Optuna is asked the same, and answers the same, whatever ran when and was killed when."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import SpecError
from engine.search.search import Search
from engine.search.strategies.bayes import check_optuna
from engine.session.events import CombinationsAdded, RoundDecided
from engine.spec.combinations import draw
from engine.spec.space import parse_space
from engine.spec.spec import SearchSpec
from tests.fakes import FAKE_WORKER, Fault, fake_search, same_results, told

if TYPE_CHECKING:
    from pathlib import Path

    from engine.search.strategies.dimensions import Dimensions

optuna = pytest.importorskip("optuna")

SPACE: dict[str, Any] = {
    "epochs": 4,
    "batch_size": [16, 32, 64],
    "hidden_units": {"low": 4, "high": 64, "log": True},
    "optimizer": ["adam", {"name": "sgd", "momentum": {"low": 0.5, "high": 0.99}, "nesterov": [False, True]}],
    "learning_rate": [
        {"low": 1e-4, "high": 1e-1, "log": True},
        {"schedule": "ExponentialDecay", "initial_learning_rate": [0.1, 0.5], "decay_epochs": 1, "decay_rate": 0.9},
    ],
}
STRATEGY = {"bayes": 12, "first": 4, "lag": 3}


def _dimensions(*spaces: dict[str, Any]) -> Dimensions:
    from engine.search.strategies.dimensions import Dimensions

    return Dimensions([parse_space(space, "space") for space in spaces])


def _asked(search: Search) -> list[tuple[str, list[dict[str, Any]], int]]:
    return [(one.words, [added.params for added in one.added], one.to_come) for one in search.state.rounds]


def test_what_is_asked_does_not_depend_on_the_number_of_workers(surroundings: Path, sampler: str) -> None:
    strategy = {**STRATEGY, "sampler": sampler}
    searches = [fake_search(surroundings, SPACE, strategy=strategy, workers=workers, fresh=True) for workers in (1, 3)]
    for search in searches:
        list(search.run())
    one, other = map(_asked, searches)
    assert [len(added) for _, added, _ in one] == [1] * 8
    assert one == other
    assert same_results(searches[0].cv_results_, searches[1].cv_results_)


@pytest.mark.slow
def test_interrupted_after_every_few_scores_it_asks_the_same(surroundings: Path) -> None:
    undisturbed = fake_search(surroundings, SPACE, strategy=STRATEGY)
    list(undisturbed.run())
    search = fake_search(surroundings, SPACE, strategy=STRATEGY, name="a", fresh=True)
    for _ in range(100):
        for _ in itertools.islice((event for event in search.run() if type(event).__name__ == "FitScored"), 7):
            pass
        if search.outcome == "completed":
            break
        search = Search.of_session("a", sessions=surroundings, worker_command=FAKE_WORKER)
    assert search.outcome == "completed"
    assert search.session is not None
    assert search.session.record.versions["optuna"] == optuna.__version__
    assert _asked(search) == _asked(undisturbed)
    assert same_results(search.cv_results_, undisturbed.cv_results_)


def test_a_combination_is_asked_for_once_all_but_the_latest_few_are_finished(surroundings: Path) -> None:
    search = fake_search(surroundings, SPACE, strategy=STRATEGY, workers=3)
    finished: dict[int, int] = {}
    count = 4
    for event in search.run():
        if isinstance(event, CombinationsAdded):
            assert (len(event.combinations), event.to_come) == (4, 8)
        if type(event).__name__ == "FitScored":
            finished[event.combination] = finished.get(event.combination, 0) + 1  # type: ignore[attr-defined]
        if isinstance(event, RoundDecided):
            assert all(finished[index] == 3 for index in range(count + 1 - 3))
            assert event.words == f"combination {count} chosen by {count - 2} scores"
            count += 1
    assert count == 12
    assert (search.state.fits_finished, search.state.fits_total) == (36, 36)


def test_a_diverged_combination_is_told_and_a_failed_one_is_not(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = {"epochs": 1, "hidden_units": [4, 8, 16, 32], "l2": {"low": 1e-5, "high": 1e-2, "log": True}}
    for name, value in told(Fault("nan", units=8), Fault("raise", units=16)).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, space, strategy={"bayes": 14, "first": 6, "lag": 2})
    list(search.run())
    statuses = [str(one.status) for one in search.state.combinations]
    assert len(statuses) == 14
    assert {"complete", "diverged", "failed"} == set(statuses)
    words = search.state.rounds[-1].words
    assert words == f"combination 13 chosen by {statuses[:12].count('complete')} scores"


def test_no_combination_is_trained_twice_and_the_search_ends_when_there_is_no_other(surroundings: Path) -> None:
    # Momentum 0 is what Keras does anyway: four of the six differ.
    optimizer = ["sgd", {"name": "sgd", "momentum": [0.0, 0.9]}]
    space = {"epochs": 1, "hidden_units": [4, 8], "optimizer": optimizer}
    search = fake_search(surroundings, space, strategy={"bayes": 60, "first": 2, "lag": 1})
    list(search.run())
    assert search.outcome == "completed"
    assert len(search.state.combinations) == 4
    assert search.state.fits_total == 12
    assert search.state.rounds[-1].words == "every other combination would be trained as an earlier one"


def test_a_search_without_any_score_still_goes_on(surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in told(Fault("raise")).items():
        monkeypatch.setenv(name, value)
    search = fake_search(surroundings, SPACE, strategy={"bayes": 4, "first": 2, "lag": 1})
    list(search.run())
    assert [str(one.status) for one in search.state.combinations] == ["failed"] * 4


SPACES = [SPACE, {"activation": ["relu", "tanh"], "hidden_units": [[64, 32], [16], 8], "dropout": [0.5, 0.0, 0.2]}]


def test_what_is_suggested_lies_where_the_trial_says() -> None:
    dimensions = _dimensions(*SPACES)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    optimizers, spaces = set(), set()
    for _ in range(60):
        trial = study.ask()
        params = dimensions.suggest(trial)
        assert dimensions.locate(params) == trial.params
        has_momentum = any(name.startswith("sgd optimizer__momentum") for name in trial.params)
        assert has_momentum == ("optimizer__momentum" in params) == (params.get("optimizer") == "sgd")
        optimizers.add(params.get("optimizer"))
        spaces.add(trial.params["space"])
    assert (optimizers, spaces) == ({None, "adam", "sgd"}, {0, 1})


def test_what_was_drawn_lies_in_the_dimensions() -> None:
    dimensions = _dimensions(*SPACES)
    for params in draw([parse_space(space, "space") for space in SPACES], 60, 0):
        chosen = dimensions.locate(params)
        assert chosen is not None
        assert all(dimensions.distributions[name]._contains(float(value)) for name, value in chosen.items())


@pytest.mark.parametrize(
    "params",
    [
        {"dropout": 0.5},
        {"dropout": 0.5, "activation": "elu", "hidden_units": [16]},
        {"dropout": 0.5, "activation": "relu", "hidden_units": [16], "l2": 0.1},
    ],
)
def test_what_lies_beyond_the_space_is_in_no_dimension(params: dict[str, Any]) -> None:
    assert _dimensions(SPACES[1]).locate(params) is None


def test_listed_numbers_are_ordered_and_all_else_is_a_category() -> None:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    space = {
        "batch_size": [64, 16, 32],
        "activation": ["relu", "tanh"],
        "hidden_units": [[64, 32], 16],
        "dropout": {"low": 0.0, "high": 0.5},
        "epochs": {"low": 2, "high": 20, "log": True},
        "l2": 0.1,
    }
    dimensions = _dimensions(space)
    expected = [
        IntDistribution(0, 2),
        CategoricalDistribution((0, 1)),
        CategoricalDistribution((0, 1)),
        FloatDistribution(0.0, 0.5),
        IntDistribution(2, 20, log=True),
    ]
    assert sorted(map(repr, dimensions.distributions.values())) == sorted(map(repr, expected))
    assert not dimensions.is_conditional
    assert dimensions.locate(
        {"batch_size": 16, "activation": "tanh", "hidden_units": 16, "dropout": 0.25, "epochs": 3, "l2": 0.1}
    )
    assert _dimensions(SPACE).is_conditional


def test_options_that_are_no_product_are_chosen_as_they_are() -> None:
    optimizer = [
        {"name": "sgd", "momentum": 0.8, "nesterov": True},
        {"name": "sgd", "momentum": 0.9, "nesterov": False},
        {"name": "sgd", "momentum": {"low": 0.5, "high": 0.7}, "nesterov": False},
    ]
    dimensions = _dimensions({"optimizer": optimizer})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    suggested = [dimensions.suggest(study.ask()) for _ in range(40)]
    pairs = {(params["optimizer__momentum"], params["optimizer__nesterov"]) for params in suggested}
    assert {(0.8, True), (0.9, False)} < pairs
    assert all(
        nesterov is False and 0.5 <= momentum <= 0.7 for momentum, nesterov in pairs - {(0.8, True), (0.9, False)}
    )


@pytest.fixture(params=["tpe", pytest.param("gp", marks=pytest.mark.slow)])
def sampler(request: pytest.FixtureRequest) -> str:
    """Each of Optuna's samplers that can be asked here."""
    if request.param == "gp":
        pytest.importorskip("torch")
    return str(request.param)


def _best_of_asked(seed: int, sampler: str) -> float:
    """The best of 40 questions about a hill in learning rate and dropout, by what was answered to those before."""
    from engine.search.strategies.optuna_study import Observation, OptunaSampler

    space = {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}, "dropout": {"low": 0.0, "high": 0.9}}
    axes = [parse_space(space, "space")]
    questions = OptunaSampler(axes, sampler)
    answers = [Observation(params, _height(params)) for params in draw(axes, 10, seed)]
    for number in range(10, 40):
        params = questions.ask(answers, (seed, number))
        answers.append(Observation(params, _height(params)))
    return max(one.score for one in answers if one.score is not None)


def _height(params: dict[str, Any]) -> float:
    return -abs(math.log10(float(params["learning_rate"])) + 2) - abs(float(params["dropout"]) - 0.3)


def test_asking_finds_more_than_drawing(sampler: str) -> None:
    space = {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}, "dropout": {"low": 0.0, "high": 0.9}}
    drawn = [max(map(_height, draw([parse_space(space, "space")], 40, seed))) for seed in range(3)]
    assert sum(_best_of_asked(seed, sampler) for seed in range(3)) > sum(drawn)


@pytest.mark.slow
def test_a_study_that_grew_answers_as_one_made_anew(sampler: str) -> None:
    from engine.search.strategies.optuna_study import NoScore, Observation, OptunaSampler

    axes = [parse_space(SPACE, "space")]
    drawn = draw(axes, 30, 0)
    ends: list[float | NoScore] = [NoScore.DIVERGED, NoScore.FAILED, 0.5, 0.7, 0.2]
    grown, answers = OptunaSampler(axes, sampler), []
    for count in range(5, 30, 1 if sampler == "tpe" else 5):
        told = [Observation(params, ends[number % 5]) for number, params in enumerate(drawn[: count - 3])]
        told += [Observation(params, NoScore.PENDING) for params in drawn[count - 3 : count]]
        if count == 20:
            told[3] = Observation(told[3].params, 0.9)  # it was tried again
        for attempt in range(2):
            answers.append(grown.ask(told, (0, count, attempt)))
            assert OptunaSampler(axes, sampler).ask(told, (0, count, attempt)) == answers[-1]
    assert len({str(params) for params in answers}) > len(answers) / 2


def test_optuna_says_nothing_and_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    from engine.search.strategies.optuna_study import Observation, OptunaSampler

    spaces = [parse_space(SPACE, "space")]
    before = optuna.logging.get_verbosity()
    OptunaSampler(spaces).ask([Observation(params, 0.5) for params in draw(spaces, 5, 0)], (0, 5))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("missing", "sampler", "extra"), [("optuna", "tpe", "bayes"), ("torch", "gp", "gp")])
def test_without_what_it_needs_nothing_starts(
    surroundings: Path, monkeypatch: pytest.MonkeyPatch, missing: str, sampler: str, extra: str
) -> None:
    monkeypatch.setattr("engine.search.strategies.bayes.find_spec", lambda name: None if name == missing else name)
    search = fake_search(surroundings, SPACE, strategy={**STRATEGY, "sampler": sampler})
    with pytest.raises(SpecError, match=rf'strategy\.bayes: .*needs {missing}: pip install "foldwatch\[{extra}\]"'):
        search.start()
    assert not surroundings.exists()
    check_optuna(SearchSpec.from_values({"dataset": "sample", "space": {}}))
