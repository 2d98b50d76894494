"""Features as a spec writes them: `{ kind = "multi_hot", num_words = 10000 }`. Nothing is learned from data here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from engine.data.features.kinds import LEAST_NUM_WORDS, MOST_NUM_WORDS, Features, MultiHot
from engine.errors import SpecError
from engine.spec.catalogue import Kind, Number
from engine.spec.space import unknown

NUM_WORDS = Number(LEAST_NUM_WORDS, MOST_NUM_WORDS, integer=True)
# Each kind with what its options accept. A kind that is added to `Features` is added here.
KINDS: dict[str, tuple[type[Features], dict[str, Kind]]] = {"multi_hot": (MultiHot, {"num_words": NUM_WORDS})}


def parse_features(raw: object, place: str) -> Features:
    """The features that a table describes, defaults filled in. Raises SpecError."""
    if not isinstance(raw, Mapping) or "kind" not in raw:
        raise SpecError(place, raw, 'a table with a kind: { kind = "multi_hot", num_words = 10000 }')
    name = raw["kind"]
    if not isinstance(name, str) or name not in KINDS:
        raise SpecError(f"{place}.kind", name, unknown("a kind of features", str(name), list(KINDS)))
    kind, options = KINDS[name]
    given: dict[str, Any] = {key: value for key, value in raw.items() if key != "kind"}
    for key, value in given.items():
        if key not in options:
            raise SpecError(f"{place}.{key}", value, unknown(f"an option of {name}", str(key), list(options)))
        if not options[key].accepts(value):
            raise SpecError(f"{place}.{key}", value, str(options[key]))
    return msgspec.convert(given | {"kind": name}, kind)
