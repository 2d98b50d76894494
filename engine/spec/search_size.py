"""How large a search is: its combinations and fits, known from its spec without making any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.errors import SpecError, Words
from engine.spec.bounds import LARGEST_GRID_TO_DRAW_FROM, check_count
from engine.spec.space import grid_size, most_different

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.spec.space import Axis
    from engine.spec.stages import Stage
    from engine.spec.strategy_options import Choice


class SearchSize(NamedTuple):
    """Combinations and fits, those included that the strategy means to add: the most that there can be."""

    combinations: int
    fits: int


def search_size(spaces: Sequence[tuple[Axis, ...]], choice: Choice, stages: Sequence[Stage], splits: int) -> SearchSize:
    """The size of a search. Whatever reaches a later stage is one combination more there."""
    left = most_different(spaces, choice.count)
    combinations = left
    for stage in stages[:-1]:
        left = left if stage.keep is None else min(left, stage.keep)
        combinations += left
    return SearchSize(combinations, combinations * splits)


def check_size(
    spaces: Sequence[tuple[Axis, ...]],
    choice: Choice,
    stages: Sequence[Stage],
    splits: int,
    *,
    allow_large: bool,
) -> None:
    """Raises SpecError where a search has more combinations or fits than it may, with their number."""
    for number, axes in enumerate(spaces):
        place = "space" if len(spaces) == 1 else f"space[{number}]"
        for axis in axes:
            # Options are made, also where few of them are drawn.
            check_count(f"{place}.{axis.name}", axis.size, axis.size, allow_large=allow_large)
    if choice.draws and (size := grid_size(spaces)) > LARGEST_GRID_TO_DRAW_FROM:
        accepted = f"at most {LARGEST_GRID_TO_DRAW_FROM:,} to draw from, or a distribution"
        raise SpecError("space", Words(f"a grid of {size:,} combinations"), accepted)
    counted = search_size(spaces, choice, stages, splits)
    place = "space" if choice.count is None else "strategy"
    check_count(place, counted.combinations, counted.fits, allow_large=allow_large)
