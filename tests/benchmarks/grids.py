"""The grids that every benchmark runs, as foldwatch's space and as scikit-learn's parameter grid."""

from __future__ import annotations

from typing import Any

# The four hyperparameters that a first search explores: 24 combinations.
REFERENCE = {
    "epochs": [5, 10, 20],
    "batch_size": [128, 512],
    "hidden_units": [64, 128],
    "optimizer": ["rmsprop", "adam"],
}
# Exponential decay with momentum on one network: 16 combinations.
DECAY = {
    "epochs": [10, 20],
    "batch_size": [128],
    "hidden_units": [64],
    "optimizer": [{"name": "sgd", "momentum": [0.8, 0.9]}],
    "learning_rate": {
        "schedule": "ExponentialDecay",
        "initial_learning_rate": [0.1, 0.5],
        "decay_epochs": 1,
        "decay_rate": [0.8, 0.96],
    },
}
# Four combinations: start-up weighs here.
QUICK = {"epochs": [5, 10], "batch_size": [512], "hidden_units": [16, 64], "optimizer": ["rmsprop"]}

SPACES: dict[str, dict[str, Any]] = {"reference": REFERENCE, "decay": DECAY, "quick": QUICK}

PARAMETER_GRIDS: dict[str, dict[str, list[Any]]] = {
    "reference": {
        "epochs": [5, 10, 20],
        "batch_size": [128, 512],
        "model__units": [64, 128],
        "model__optimizer": ["rmsprop", "adam"],
    },
    "decay": {
        "epochs": [10, 20],
        "batch_size": [128],
        "model__units": [64],
        "model__optimizer": ["sgd"],
        "model__momentum": [0.8, 0.9],
        "model__learning_rate": [0.1, 0.5],
        "model__decay_rate": [0.8, 0.96],
    },
    "quick": {"epochs": [5, 10], "batch_size": [512], "model__units": [16, 64], "model__optimizer": ["rmsprop"]},
}
