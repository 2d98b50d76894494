"""The built-in search: small, on the synthetic sample, and whole, from spec to saved model."""

from __future__ import annotations

from engine.spec.spec import SearchSpec


def demo_spec() -> SearchSpec:
    """Constant and decaying rates against each other, on two sizes of network."""
    decay = {
        "schedule": "ExponentialDecay",
        "initial_learning_rate": [0.1, 0.5],
        "decay_epochs": 1,
        "decay_rate": [0.8, 0.96],
    }
    return SearchSpec.from_values(
        {
            "dataset": "sample",
            "space": [
                {"epochs": [5, 10], "batch_size": [128], "hidden_units": [16, 64], "optimizer": ["rmsprop", "adam"]},
                {
                    "epochs": [5, 10],
                    "batch_size": [128],
                    "hidden_units": [64],
                    "optimizer": [{"name": "sgd", "momentum": 0.9}],
                    "learning_rate": [0.1, decay],
                },
            ],
        }
    )
