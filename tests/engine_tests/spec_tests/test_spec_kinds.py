"""Features, models and datasets: each kind is an object that knows what it accepts, and one spelling of it is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from engine import data
from engine.data import facts
from engine.data.source import DataSource, OpenedSource, Whereabouts
from engine.data.sources.keras_sequences import LabelledSequences
from engine.data.sources.ragged import Ragged
from engine.errors import SpecError
from engine.spec import catalogue
from engine.spec.features import KINDS
from engine.spec.models import Perceptron
from engine.spec.spec import SearchSpec, to_json

if TYPE_CHECKING:
    from pathlib import Path

PLAIN: dict[str, Any] = {"dataset": "sample", "num_words": 500, "space": {"epochs": [1, 2]}}


@pytest.mark.parametrize(
    "values",
    [
        {"num_words": 500, "features": {"kind": "multi_hot"}},
        {"features": {"kind": "multi_hot", "num_words": 500}},
        {"num_words": 500, "model": "perceptron"},
    ],
)
def test_the_one_kind_may_be_named_and_is_recorded_as_ever(values: dict[str, Any]) -> None:
    named = SearchSpec.from_values({"dataset": "sample", "space": {"epochs": [1, 2]}, **values})
    assert to_json(named) == to_json(SearchSpec.from_values(PLAIN))
    assert named.encoding == data.MultiHot(500)
    assert named.network == Perceptron()
    assert not {"features", "model"} & named.to_values().keys()


def test_the_number_of_words_of_features_stands_where_nothing_names_it() -> None:
    named = SearchSpec.from_values({"dataset": "sample", "space": {}, "features": {"kind": "multi_hot"}})
    assert named.encoding.columns == named.num_words == SearchSpec().num_words


@pytest.mark.parametrize(
    ("values", "place", "shown", "accepted"),
    [
        ({"model": "mlp"}, "model", "mlp", '"perceptron"'),
        ({"model": ["perceptron"]}, "model", ["perceptron"], '"perceptron"'),
        ({"features": "multi_hot"}, "features", "multi_hot", "a table with a kind"),
        ({"features": [{"kind": "multi_hot"}]}, "features", [{"kind": "multi_hot"}], "a table with a kind"),
        ({"features": {"kind": "tf_idf"}}, "features.kind", "tf_idf", "a kind of features of multi_hot"),
        ({"features": {"kind": 1}}, "features.kind", 1, "multi_hot"),
        ({"features": {"kind": "multi_hot", "ngrams": 2}}, "features.ngrams", 2, "an option of multi_hot of num_words"),
        ({"features": {"kind": "multi_hot", "num_words": 3}}, "features.num_words", 3, "at least 4"),
        (
            {"num_words": 500, "features": {"kind": "multi_hot", "num_words": 400}},
            "num_words",
            500,
            "num_words once: within features, or at the top level",
        ),
        ({"feature": {"kind": "multi_hot"}}, "feature", {"kind": "multi_hot"}, "'features'?"),
        ({"dataset": "news"}, "dataset", "news", "reuters, imdb, sample"),
        ({"dataset": {"train": "a.csv"}}, "dataset", {"train": "a.csv"}, "reuters, imdb, sample"),
    ],
)
def test_another_kind_is_refused_with_the_place_the_value_and_what_is_accepted(
    values: dict[str, Any], place: str, shown: Any, accepted: str
) -> None:
    with pytest.raises(SpecError) as refused:
        SearchSpec.from_values({"dataset": "sample", "space": {}, **values})
    assert (refused.value.place, refused.value.value) == (place, shown)
    assert accepted in refused.value.accepted


def test_every_kind_of_features_knows_its_options_and_their_defaults() -> None:
    for name, (kind, options) in KINDS.items():
        assert set(kind.__struct_fields__) == set(options), name
        assert all(options[field].accepts(getattr(kind(), field)) for field in kind.__struct_fields__), name


def test_the_network_has_the_hyperparameters_that_no_other_training_has() -> None:
    own = Perceptron().hyperparameters
    assert set(own) == {"hidden_layers", "hidden_units", "activation", "dropout", "l2"}
    assert {**catalogue.TRAINING_HYPERPARAMETERS, **own} == catalogue.HYPERPARAMETERS


@dataclass(frozen=True)
class _Few(DataSource):
    """Ten rows of two words, in three classes."""

    def class_sizes(self) -> tuple[int, ...]:
        return (4, 3, 3)

    def whereabouts(self, data_dir: Path | None = None, cache_dir: Path | None = None) -> Whereabouts:
        return Whereabouts("built in", None, at_hand=True)

    def open(self, features: data.Features, **_: Any) -> OpenedSource:
        import numpy as np

        rows = LabelledSequences(Ragged.from_sequences([[4, 5]] * 12), np.arange(12) % 3)
        return OpenedSource("ab" * 32, "reading", lambda: (rows.take(np.arange(10)), rows.take(np.arange(10, 12))))


def test_a_dataset_that_no_table_has_is_checked_and_read_by_what_it_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = _Few("few", "few rows", 10, 2, ("a", "b", "c"), synthetic=True)
    monkeypatch.setitem(facts.DATASETS, "few", few)
    values: dict[str, Any] = {"dataset": "few", "num_words": 8, "folds": 2, "subsample": 0.5, "space": {"epochs": 1}}
    spec = SearchSpec.from_values(values)
    assert (spec.source, spec.rows, spec.stage_rows) == (few, 5, (5,))
    with pytest.raises(SpecError, match="from 2 to 10"):
        SearchSpec.from_values({**values, "subsample": 11})
    with pytest.raises(SpecError, match="a scorer for 3 classes"):
        SearchSpec.from_values({**values, "scoring": ["f1"]})
    loaded = data.load(spec.source, num_words=8, cache_dir=tmp_path)
    assert (len(loaded.training), loaded.training.width, loaded.label_names) == (10, 8, ("a", "b", "c"))
    assert loaded.source_sha256 == "ab" * 32
