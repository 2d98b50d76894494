"""What is written beside a saved model: where it comes from, and what it scored."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

from engine.spec.resolved import resolved_params_of
from engine.spec.spec import SearchSpec

if TYPE_CHECKING:
    from engine.session.combination import CombinationState
    from engine.session.session import Session
    from engine.session.state import SearchState


def describe_model(session: Session, state: SearchState, index: int) -> dict[str, Any]:
    """The facts of a combination's model, but for what its refit and the test set add."""
    combination = state.combinations[index]
    record = session.record
    scores = {}
    for metric in state.scoring:
        mean, deviation = combination.mean(metric)
        scores[metric] = {"folds": combination.scores_of(metric), "mean": mean, "std": deviation}
    return {
        "session": session.id,
        "combination": index,
        "params": combination.params,
        "trainer": combination.trainer,
        "cross_validation": scores,
        "data": {
            "dataset": record.spec["dataset"],
            "num_words": record.spec["num_words"],
            "synthetic": record.data.synthetic,
            "source_sha256": record.data.source_sha256,
            "digest": record.data.digest,
        },
        "seed": record.spec["seed"],
        "early_stopping": _early_stopping(combination, record.spec),
        "versions": record.versions,
        "command": f"foldwatch save {session.id} --combination {index} --to best.keras",
        "notes": steps_kept(combination.params),
    }


def refit_epochs(combination: CombinationState, spec: SearchSpec) -> int:
    """How long a model is trained on all rows, where no fold is left to be patient with.

    The median over the folds of the epochs after which their trainings ended, rounded, halves up.
    """
    epochs = resolved_params_of(combination.params).epochs
    if spec.stopping is None or not spec.stopping.stop:
        return epochs
    return int(statistics.median(stopped_at or epochs for stopped_at in combination.stopped_at) + 0.5)


def _early_stopping(combination: CombinationState, values: dict[str, Any]) -> dict[str, Any] | None:
    rule = values.get("early_stopping")
    return rule and {**rule, "stopped_at": combination.stopped_at, "stopped_scores": combination.stopped_scores}


def steps_kept(params: dict[str, Any]) -> list[str]:
    """A warning where a schedule counts steps: the refit's epochs have more of them than a fold's."""
    counted = ("decay_steps", "first_decay_steps", "warmup_steps", "boundaries")
    kept = [name for name in counted if f"learning_rate__{name}" in params]
    return [f"{name} was kept as written, although an epoch of the refit has more steps" for name in kept]
