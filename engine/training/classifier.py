"""The keras trainer as a scikit-learn classifier: the same parameters, the same rows, the same scores."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scikeras.wrappers import KerasClassifier
from scipy.sparse import csr_array
from sklearn.base import ClassifierMixin
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from engine.data.rows import Rows
from engine.spec.models import Perceptron
from engine.spec.space import parse_space
from engine.spec.space_of_one import combination_space
from engine.spec.workable import check_trainable
from engine.training.keras.batches import trained_model
from engine.training.keras.network import build_optimizer
from engine.training.keras.trainer import KerasTrainer
from engine.training.randomness import training_seed
from engine.training.requests import training_request
from engine.training.scoring import predicted_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from engine.training.interface import TrainingRequest

_PARAMETERS = (
    "activation",
    "batch_size",
    "classes",
    "dropout",
    "epochs",
    "hidden_layers",
    "hidden_units",
    "l2",
    "learning_rate",
    "optimizer",
    "seed",
)
_ROUTED = ("learning_rate__", "optimizer__")

# One for the process: a grid's next fit then reuses what an earlier one built and traced.
_trainer = KerasTrainer()


class FoldwatchClassifier(KerasClassifier):  # type: ignore[misc]
    """A multilayer perceptron on multi-hot rows, trained exactly as a foldwatch search trains it.

    Parameters are foldwatch's hyperparameters in their flat spelling; besides those named here, `optimizer__...`
    and `learning_rate__...` hold arguments of the optimizer and of a schedule, such as `optimizer__momentum` or
    `learning_rate__decay_rate`. `hidden_layers` counts only where `hidden_units` is one number for all of them.
    `learning_rate`: a number, the name of a Keras schedule, or None for the optimizer's own default. `seed`: the
    search's seed. `classes`: how many classes there are, which the rows of one fold may not show; None
    takes them from the labels given to `fit`.

    After `fit`: `model_` (a compiled `keras.Model`), `classes_`, `n_classes_`, `n_features_in_`, and `history_`
    ({"loss": [...]}, one entry an epoch).
    """

    _routing_prefixes = KerasClassifier._routing_prefixes | {"learning_rate"}

    def __init__(
        self,
        *,
        epochs: int = 10,
        batch_size: int = 128,
        hidden_layers: int = 2,
        hidden_units: int | tuple[int, ...] = 64,
        activation: str = "relu",
        dropout: float = 0.0,
        l2: float = 0.0,
        optimizer: str = "rmsprop",
        learning_rate: float | str | None = None,
        seed: int = 0,
        classes: int | None = None,
        **routed: object,
    ) -> None:
        unknown = [name for name in routed if not name.startswith(_ROUTED)]
        if unknown:
            message = f"FoldwatchClassifier takes no parameter {unknown[0]!r}"
            raise TypeError(message)
        super().__init__(optimizer=optimizer, batch_size=batch_size, epochs=epochs, verbose=0)
        self.hidden_layers = hidden_layers
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.l2 = l2
        self.learning_rate = learning_rate
        self.seed = seed
        self.classes = classes
        for name, value in routed.items():
            setattr(self, name, value)

    def _get_param_names(self) -> list[str]:
        """The parameters of this class only: those that scikeras adds, such as callbacks, do nothing here."""
        return [*_PARAMETERS, *sorted(name for name in vars(self) if name.startswith(_ROUTED))]

    def __sklearn_tags__(self) -> Any:
        # scikeras lists ClassifierMixin last, where its tags have no effect: scikit-learn would not see a classifier,
        # and would split rows without regard to their classes. Python lets no subclass move the mixin to the front.
        tags = super().__sklearn_tags__()
        tags.estimator_type = "classifier"
        tags.classifier_tags = ClassifierTags()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any) -> FoldwatchClassifier:
        """Train on multi-hot rows (rows, width), a SciPy sparse matrix or a dense array, with labels (rows,) from 0.

        Raises `ValueError` for entries other than zero and one and for labels that are not classes,
        `FloatingPointError` if the training diverges (searches of scikit-learn then rank it last, as foldwatch's do),
        and `engine.errors.FoldwatchError` for parameters that mean nothing.
        """
        labels = _checked_labels(y, self.classes)
        classes = self.classes or max(2, int(labels.max()) + 1)
        rows = _rows(X, labels, classes)
        values = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in ("seed", "classes") and (name, value) != ("learning_rate", None)
        }
        # scikit-learn's searches draw NumPy's numbers, which a space does not know.
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
        space = combination_space(plain)
        parse_space(space, "parameters")
        check_trainable(space, "parameters", Perceptron())
        request = training_request(
            plain,
            row_count=len(rows),
            width=rows.width,
            classes=classes,
            seed=training_seed(self.seed, rows),
        )
        losses, weights = _trained(request, rows)
        optimizer = build_optimizer(request.optimizer, request.optimizer_arguments, float(request.learning_rates[-1]))
        self.model_ = trained_model(request.network, weights, optimizer)
        self.history_ = {"loss": losses}
        self.classes_ = np.arange(classes)
        self.n_classes_ = classes
        self.n_features_in_ = rows.width
        self._request = request
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Probabilities (rows, classes) of multi-hot rows (rows, width); two columns for two classes.

        Raises `sklearn.exceptions.NotFittedError` before `fit`, `ValueError` for another width.
        """
        check_is_fitted(self, "model_")
        rows = _rows(X, None, self.n_classes_)
        if rows.width != self.n_features_in_:
            message = f"X has {rows.width} features, but FoldwatchClassifier is expecting {self.n_features_in_}"
            raise ValueError(message)
        return _trainer.predict(self._request, self.model_.get_weights(), rows)

    def predict(self, X: Any) -> NDArray[np.intp]:
        """The most likely class of every row, shape (rows,)."""
        return predicted_classes(self.predict_proba(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy on multi-hot rows (rows, width) with labels (rows,)."""
        return float(ClassifierMixin.score(self, X, y, sample_weight))

    @property
    def partial_fit(self) -> Any:
        """Not available: learning rates are planned for a whole training."""
        message = "FoldwatchClassifier has no partial_fit: it trains from beginning to end, with fit"
        raise AttributeError(message)

    @property
    def initialize(self) -> Any:
        """Not available: `fit` makes the model."""
        message = "FoldwatchClassifier has no initialize: it makes its model in fit"
        raise AttributeError(message)


def _trained(request: TrainingRequest, rows: Rows) -> tuple[list[float], list[NDArray[np.float32]]]:
    losses: list[float] = []
    weights: list[NDArray[np.float32]] = []
    for epoch in _trainer.train(request, rows, None):
        losses.append(epoch.loss)
        if not math.isfinite(epoch.loss):
            message = f"diverged: the loss of epoch {epoch.number} is {epoch.loss}"
            raise FloatingPointError(message)
        if epoch.number == request.epochs:
            weights = epoch.weights()
    return losses, weights


def _checked_labels(y: Any, classes: int | None) -> NDArray[np.int32]:
    labels = np.asarray(y)
    if labels.ndim != 1 or labels.dtype.kind not in "iub" or not labels.size:
        message = f"labels are whole numbers in one dimension; got {labels.dtype} of shape {labels.shape}"
        raise ValueError(message)
    if labels.min() < 0 or (classes is not None and labels.max() >= classes):
        message = (
            f"labels are classes from 0 to {classes - 1 if classes else '...'}; got {labels.min()} to {labels.max()}"
        )
        raise ValueError(message)
    return labels.astype(np.int32)


def _rows(X: Any, labels: NDArray[np.int32] | None, classes: int) -> Rows:
    matrix = csr_array(X)
    if not matrix.has_canonical_format or np.any(matrix.data == 0):
        matrix = matrix.copy()
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
    if labels is None:
        labels = np.zeros(matrix.shape[0], np.int32)
    elif len(labels) != matrix.shape[0]:
        message = f"{matrix.shape[0]} rows have {len(labels)} labels"
        raise ValueError(message)
    return Rows.from_scipy(matrix, labels, classes)
