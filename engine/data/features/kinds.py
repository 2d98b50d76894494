"""How a row of data becomes numbers: a class for each kind, told apart by `kind` where a spec writes it.

Imports nothing heavy. A kind that is added is a class here and a member of `Features`, with its encoder in a module
beside this one; `engine.spec.features` says what a spec may write of it.
"""

from __future__ import annotations

import msgspec

# 0 is padding, 1 the start of a row, 2 a word outside the vocabulary; words follow.
LEAST_NUM_WORDS = 4
MOST_NUM_WORDS = 1_000_000
DEFAULT_NUM_WORDS = 10_000


class MultiHot(msgspec.Struct, frozen=True, tag_field="kind", tag="multi_hot"):
    """A column for each word number below `num_words`: 1 where the row has the word, else 0."""

    num_words: int = DEFAULT_NUM_WORDS

    @property
    def columns(self) -> int:
        """How many numbers a row becomes."""
        return self.num_words


Features = MultiHot  # the union of all kinds: one so far
