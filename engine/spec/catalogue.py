"""What Keras and scikit-learn offer, as static tables, so that nothing heavy is imported to validate a spec.

The tests hold them against the pinned libraries.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

NONE = "none"  # how specs write None, for which TOML has no word
DEFAULT = "default"  # what results show of a hyperparameter that a combination does not name


@dataclass(frozen=True)
class Number:
    """A number between `low` and `high`; bounds are accepted unless they are open. `optional`: or none at all."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    integer: bool = False
    optional: bool = False

    def accepts(self, value: object) -> bool:
        """Whether the value is one of these; booleans are not numbers."""
        if value is None:
            return self.optional
        if isinstance(value, bool) or not isinstance(value, int if self.integer else int | float):
            return False
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return abs(value) <= sys.float_info.max and above and below

    def __str__(self) -> str:
        kind = "a whole number" if self.integer else "a number"
        bounds = []
        if self.low > -math.inf:
            bounds.append(f"{'above' if self.low_open else 'at least'} {_plainly(self.low)}")
        if self.high < math.inf:
            bounds.append(f"{'below' if self.high_open else 'at most'} {_plainly(self.high)}")
        number = " ".join([kind, " and ".join(bounds)]).strip()
        return f'{number}, or "{NONE}"' if self.optional else number


def _plainly(bound: float) -> str:
    """A bound as people write it: 100000, not 1e+05."""
    return str(int(bound)) if abs(bound) < 1e15 and float(bound).is_integer() else f"{bound:g}"


@dataclass(frozen=True)
class Truth:
    """true or false."""

    def accepts(self, value: object) -> bool:
        """Whether the value is a boolean."""
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Word:
    """One of some words, whatever their case; `canonical` gives their own spelling."""

    words: tuple[str, ...]

    def accepts(self, value: object) -> bool:
        """Whether the value is one of the words."""
        return isinstance(value, str) and value.lower() in {word.lower() for word in self.words}

    def canonical(self, value: str) -> str:
        """The word as the table spells it."""
        return next(word for word in self.words if word.lower() == value.lower())

    def __str__(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True)
class Units:
    """Neurons: a whole number for every hidden layer, or a list that names the layers one by one."""

    def accepts(self, value: object) -> bool:
        """Whether the value is such a number or such a list."""
        if isinstance(value, list | tuple):
            return 0 < len(value) <= MOST_HIDDEN_LAYERS and all(UNITS.accepts(item) for item in value)
        return UNITS.accepts(value)

    def __str__(self) -> str:
        return f"{UNITS}, or a list of up to {MOST_HIDDEN_LAYERS} such numbers, one for each hidden layer"


@dataclass(frozen=True)
class Anything:
    """What a function of the user's own may take: a number, a text, true or false, or a list of such values."""

    def accepts(self, value: object) -> bool:
        """Whether the value is one of these; what a function makes of it, only the function knows."""
        if isinstance(value, list | tuple):
            return all(self.accepts(item) for item in value)
        if isinstance(value, float):
            return math.isfinite(value)
        return isinstance(value, str | int) or value is None

    def __str__(self) -> str:
        return f'a number, a text, true, false, "{NONE}", or a list of these'


Kind = Number | Truth | Word | Units | Anything

MOST_HIDDEN_LAYERS = 32
UNITS = Number(1, 65_536, integer=True)
_POSITIVE = Number(0, low_open=True)
_NOT_NEGATIVE = Number(0)
_FRACTION = Number(0, 1)
_BETA = Number(0, 1, high_open=True)
_STEPS = Number(1, integer=True)

ACTIVATIONS = (
    "relu", "tanh", "sigmoid", "elu", "selu", "gelu", "silu", "swish", "softplus", "softsign", "leaky_relu", "relu6",
    "exponential", "linear", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "hard_shrink", "soft_shrink",
    "tanh_shrink", "celu", "mish", "log_sigmoid", "squareplus", "sparse_plus", "sparse_sigmoid",
)  # fmt: skip
_ACTIVATION_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def same_activation(name: str) -> str:
    """The one name of several that Keras has for an activation."""
    return _ACTIVATION_ALIASES.get(name, name)


Arguments = dict[str, tuple[Kind, Any]]  # name -> what it accepts, Keras' default

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")  # Keras takes one of them at most
_COMMON: Arguments = {
    "weight_decay": (Number(0, optional=True), None),
    **dict.fromkeys(CLIPS, (Number(0, low_open=True, optional=True), None)),
}
_EPSILON: Arguments = {"epsilon": (_POSITIVE, 1e-7)}
_ADAM: Arguments = {"beta_1": (_BETA, 0.9), "beta_2": (_BETA, 0.999), **_EPSILON, **_COMMON}
_AMSGRAD: Arguments = {"amsgrad": (Truth(), False)}


@dataclass(frozen=True)
class Optimizer:
    """A Keras optimizer: its class, its arguments, and the learning rate it has when none is named."""

    class_name: str
    arguments: Arguments
    learning_rate: float = 0.001


# Left out of every optimizer: use_ema and its two companions (they change the weights only when a `fit` ends, so that
# a shared training could not be scored on the way), gradient_accumulation_steps (a step would be no batch any more)
# and loss_scale_factor (for half precision).
OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("SGD", {"momentum": (_FRACTION, 0.0), "nesterov": (Truth(), False), **_COMMON}, 0.01),
    "rmsprop": Optimizer(
        "RMSprop",
        {"rho": (_FRACTION, 0.9), "momentum": (_FRACTION, 0.0), "centered": (Truth(), False), **_EPSILON, **_COMMON},
    ),
    "adam": Optimizer("Adam", {**_ADAM, **_AMSGRAD}),
    "adamw": Optimizer("AdamW", {**_ADAM, **_AMSGRAD, "weight_decay": (_NOT_NEGATIVE, 0.004)}),
    "nadam": Optimizer("Nadam", _ADAM),
    "adamax": Optimizer("Adamax", _ADAM),
    "adagrad": Optimizer("Adagrad", {"initial_accumulator_value": (_NOT_NEGATIVE, 0.1), **_EPSILON, **_COMMON}),
    "adadelta": Optimizer("Adadelta", {"rho": (_FRACTION, 0.95), **_EPSILON, **_COMMON}),
    "adafactor": Optimizer(
        "Adafactor",
        {
            "beta_2_decay": (Number(high=0), -0.8),
            "epsilon_1": (_POSITIVE, 1e-30),
            "epsilon_2": (_POSITIVE, 1e-3),
            "clip_threshold": (_POSITIVE, 1.0),
            "relative_step": (Truth(), True),
            **_COMMON,
        },
    ),
    "ftrl": Optimizer(
        "Ftrl",
        {
            "learning_rate_power": (Number(high=0), -0.5),
            "initial_accumulator_value": (_NOT_NEGATIVE, 0.1),
            "l1_regularization_strength": (_NOT_NEGATIVE, 0.0),
            "l2_regularization_strength": (_NOT_NEGATIVE, 0.0),
            "l2_shrinkage_regularization_strength": (_NOT_NEGATIVE, 0.0),
            "beta": (_NOT_NEGATIVE, 0.0),
            **_COMMON,
        },
    ),
    "lion": Optimizer("Lion", {"beta_1": (_BETA, 0.9), "beta_2": (_BETA, 0.99), **_COMMON}),
    "lamb": Optimizer("Lamb", _ADAM),
}


@dataclass(frozen=True)
class Schedule:
    """A Keras learning-rate schedule: the arguments it must have and those it may have, with their defaults.

    `in_epochs` maps each argument that counts steps to the name of the same in epochs.
    """

    required: dict[str, Kind]
    optional: Arguments
    in_epochs: dict[str, str]


_RATE = _POSITIVE
_STEP = Number(0, integer=True)
_STAIRCASE: Arguments = {"staircase": (Truth(), False)}
_DECAY_EPOCHS = {"decay_steps": "decay_epochs"}

SCHEDULES: dict[str, Schedule] = {
    "ExponentialDecay": Schedule(
        {"initial_learning_rate": _RATE, "decay_steps": _STEPS, "decay_rate": _POSITIVE}, _STAIRCASE, _DECAY_EPOCHS
    ),
    "PiecewiseConstantDecay": Schedule(
        {"boundaries": _STEP, "values": _NOT_NEGATIVE}, {}, {"boundaries": "boundary_epochs"}
    ),
    "PolynomialDecay": Schedule(
        {"initial_learning_rate": _NOT_NEGATIVE, "decay_steps": _STEPS},
        {"end_learning_rate": (_NOT_NEGATIVE, 0.0001), "power": (_POSITIVE, 1.0), "cycle": (Truth(), False)},
        _DECAY_EPOCHS,
    ),
    "InverseTimeDecay": Schedule(
        {"initial_learning_rate": _RATE, "decay_steps": _STEPS, "decay_rate": _NOT_NEGATIVE},
        _STAIRCASE,
        _DECAY_EPOCHS,
    ),
    "CosineDecay": Schedule(
        {"initial_learning_rate": _NOT_NEGATIVE, "decay_steps": _STEPS},
        {
            "alpha": (_NOT_NEGATIVE, 0.0),
            "warmup_target": (Number(0, low_open=True, optional=True), None),
            "warmup_steps": (_STEP, 0),
        },
        {**_DECAY_EPOCHS, "warmup_steps": "warmup_epochs"},
    ),
    "CosineDecayRestarts": Schedule(
        {"initial_learning_rate": _RATE, "first_decay_steps": _STEPS},
        {"t_mul": (Number(1), 2.0), "m_mul": (_NOT_NEGATIVE, 1.0), "alpha": (_NOT_NEGATIVE, 0.0)},
        {"first_decay_steps": "first_decay_epochs"},
    ),
}
LIST_ARGUMENTS = frozenset({"boundaries", "boundary_epochs", "values"})  # lists by nature, not lists of choices
WHOLE_TRAINING = "all"  # as a number of epochs: the schedule stretches over the training

LEARNING_RATE = _RATE
EPOCHS_ARGUMENT = Number(0, low_open=True)

# Hyperparameters with what they accept and what they are when a space does not name them; `optimizer` and
# `learning_rate` have tables of their own. First those of every training, whatever is trained.
TRAINING_HYPERPARAMETERS: dict[str, tuple[Kind, Any]] = {
    "epochs": (Number(1, 100_000, integer=True), 10),
    "batch_size": (Number(1, integer=True), 128),
}
PERCEPTRON_HYPERPARAMETERS: dict[str, tuple[Kind, Any]] = {
    "hidden_layers": (Number(0, MOST_HIDDEN_LAYERS, integer=True), 2),
    "hidden_units": (Units(), 64),
    "activation": (Word(ACTIVATIONS), "relu"),
    "dropout": (Number(0, 1, high_open=True), 0.0),
    "l2": (_NOT_NEGATIVE, 0.0),
}
HYPERPARAMETERS = TRAINING_HYPERPARAMETERS | PERCEPTRON_HYPERPARAMETERS
DEFAULT_OPTIMIZER = "rmsprop"
MODEL_PREFIX = "model__"  # of the parameters of a function that builds a model, as scikeras has it


def head_of(parameter: str) -> str:
    """The hyperparameter to which a flat parameter belongs: `optimizer` of `optimizer__momentum`.

    A parameter of a function of the user's own is one by itself.
    """
    return parameter if parameter.startswith(MODEL_PREFIX) else parameter.partition("__")[0]


def is_argument(parameter: str) -> bool:
    """Whether it belongs to an optimizer or a schedule, so that not every combination need have it."""
    return head_of(parameter) != parameter


@dataclass(frozen=True)
class Scorer:
    """A scikit-learn scorer: for which numbers of classes, and which classes must have rows for it to be defined.

    `needs_every_class`: each of them; `needs_two_classes`: any two. `metric`: the function of `sklearn.metrics` behind
    a scorer that has to be given all labels, since it would take those that occur for all that there are.
    """

    two_classes_only: bool = False
    many_classes_only: bool = False
    needs_every_class: bool = False
    needs_two_classes: bool = False
    metric: str | None = None


_ANY = Scorer()
_TWO = Scorer(two_classes_only=True)
_EVERY = Scorer(needs_every_class=True)
_EVERY_OF_TWO = Scorer(two_classes_only=True, needs_every_class=True)
SCORERS: dict[str, Scorer] = {
    "accuracy": _ANY,
    "balanced_accuracy": _ANY,
    "matthews_corrcoef": _ANY,
    **{f"{metric}_{mean}": _ANY for metric in ("f1", "precision", "recall", "jaccard")
       for mean in ("macro", "micro", "weighted")},
    **dict.fromkeys(("f1", "precision", "recall", "jaccard"), _TWO),
    **dict.fromkeys(("roc_auc", "positive_likelihood_ratio", "neg_negative_likelihood_ratio"), _EVERY_OF_TWO),
    **dict.fromkeys(("roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo", "roc_auc_ovo_weighted"), _EVERY),
    "average_precision": _EVERY,
    "neg_log_loss": Scorer(metric="log_loss"),
    "neg_brier_score": Scorer(metric="brier_score_loss"),
    "d2_log_loss_score": Scorer(needs_two_classes=True, metric="d2_log_loss_score"),
    "d2_brier_score": Scorer(needs_two_classes=True, metric="d2_brier_score"),
    "top_k_accuracy": Scorer(many_classes_only=True, metric="top_k_accuracy_score"),
}  # fmt: skip
# The share of rows that are given their class, under all its names: each row has one class and is given one.
SHARES_OF_RIGHT = ("accuracy", "f1_micro", "precision_micro", "recall_micro", "recall_weighted")

# What other tools call some of it.
OTHER_NAMES = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "units": "hidden_units",
    "neurons": "hidden_units",
    "hidden_size": "hidden_units",
    "layers": "hidden_layers",
    "n_layers": "hidden_layers",
    "batch": "batch_size",
    "n_epochs": "epochs",
    "opt": "optimizer",
    "dropout_rate": "dropout",
    "weight_decay": "l2",
    "cv": "folds",
    "n_splits": "folds",
    "n_repeats": "repeats",
    "random_state": "seed",
    "metric": "scoring",
    "metrics": "scoring",
    "data": "dataset",
    "search": "strategy",
    "timeout": "time_limit",
    "max_features": "num_words",
}
