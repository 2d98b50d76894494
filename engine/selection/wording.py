"""What may be believed of a search's best score, as lines for people and as values for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.errors import NoBestError, NotAvailableError
from engine.selection.choices import HonestBest

if TYPE_CHECKING:
    from engine.session import Session
    from engine.state import SearchState

_NAMED = 3

Found = HonestBest | NoBestError | NotAvailableError


def find_honest(session: Session, state: SearchState) -> Found:
    """What may be believed of the best score, so far, or why there is nothing to say."""
    from engine.selection.honest import honest_best

    try:
        return honest_best(session, state)
    except (NoBestError, NotAvailableError) as error:
        return error


def honest_facts(honest: Found) -> list[tuple[str, str]]:
    """Names and values for a list of facts; none before a combination is complete."""
    if isinstance(honest, NoBestError):
        return []
    if isinstance(honest, NotAvailableError):
        return [("corrected", str(honest).partition(";")[0])]
    missing = honest.without_predictions
    return [
        (honest.metric, f"{honest.score:.4f}, 95 % interval {_interval(honest.interval)} over rows"),
        (
            "corrected",
            f"{honest.corrected:.4f}, 95 % interval {_interval(honest.corrected_interval)} "
            f"(BBC-CV, best of {honest.candidates})",
        ),
        *([("not corrected", _chosen_before(honest.chosen_before))] if honest.chosen_before else []),
        *([("left out", f"{missing} complete combinations, which have no predictions")] if missing else []),
        ("tied", _tied(honest)),
    ]


def honest_values(honest: Found) -> dict[str, Any]:
    """The fields of `HonestBest`, or why there are none as `unavailable`."""
    return asdict(honest) if isinstance(honest, HonestBest) else {"unavailable": str(honest)}


def _chosen_before(count: int) -> str:
    return f"the strategy's choice, on these rows too, against {count} others that it did not train to the end"


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4f} to {ends[1]:.4f}"


def _tied(honest: HonestBest) -> str:
    others = honest.tied[1:]
    if not others:
        return "none may be as good as the best (paired bootstrap, max-t)"
    named = ", ".join(f"#{index}" for index in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{named}{more} (paired bootstrap, max-t); cheapest: #{honest.cheapest_tied}"
