"""What is trained, as a spec writes it: a class for each kind of model, which knows its own hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from engine.errors import SpecError
from engine.spec.catalogue import PERCEPTRON_HYPERPARAMETERS, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class Perceptron(msgspec.Struct, frozen=True, tag_field="kind", tag="perceptron"):
    """The built-in network: hidden layers with one activation, dropout and penalty, and an output for each class."""

    @property
    def hyperparameters(self) -> Mapping[str, tuple[Kind, Any]]:
        """Names that a space may use for it, beside those of every training: what each accepts, and its default."""
        return PERCEPTRON_HYPERPARAMETERS


Model = Perceptron  # the union of all kinds: one so far


def parse_model(raw: object, place: str) -> Model:
    """The model that a spec names: `perceptron`, the built-in network. Raises SpecError."""
    if raw != "perceptron":
        raise SpecError(place, raw, '"perceptron", the built-in network')
    return Perceptron()
