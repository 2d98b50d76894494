"""When to end a training that has stopped getting better: Keras' EarlyStopping on the validation loss.

As there with `restore_best_weights=False`: what counts is the epoch at which patience ran out, not the best one.
"""

from __future__ import annotations

import sys

import msgspec


class EarlyStopping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rule of a search.

    `patience`: epochs in a row whose validation loss is not below the lowest before by more than `min_delta`, after
    which a training ends; without `stop` it runs on, and where it would have ended is recorded.
    """

    patience: int
    min_delta: float = 0.0
    stop: bool = True

    def __str__(self) -> str:
        given = msgspec.to_builtins(self)
        return ", ".join(f"{name} {str(value).lower()}" for name, value in given.items())


NEVER = EarlyStopping(patience=sys.maxsize)


class Patience(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How much of its patience a training has used up; once `stopped_at` is known it stays, with the `score` there."""

    lowest: float | None = None
    waited: int = 0
    stopped_at: int | None = None
    score: float | None = None

    def runs_out(self, rule: EarlyStopping, epoch: int, validation_loss: float) -> bool:
        """Take an epoch (counted from 1) into account; whether this is the one after which the training should end."""
        if self.stopped_at is not None:
            return False
        if self.lowest is None or validation_loss + rule.min_delta < self.lowest:
            self.lowest, self.waited = validation_loss, 0
            return False
        self.waited += 1
        if self.waited < rule.patience:
            return False
        self.stopped_at = epoch
        return True
