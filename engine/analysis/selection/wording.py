"""What may be believed of a search's best score, as lines for people and as values for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.analysis.selection.choices import HonestBest
from engine.errors import NoBestError, NotAvailableError

if TYPE_CHECKING:
    from engine.session.session import Session
    from engine.session.state import SearchState

_NAMED = 3

Found = HonestBest | NoBestError | NotAvailableError


def find_honest(session: Session, state: SearchState) -> Found:
    """What may be believed of the best score, so far, or why there is nothing to say."""
    from engine.analysis.selection.corrected import honest_best

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
        ("tied", _tied(honest)),
        *([("in part", _in_part(honest))] if honest.dropped_in_part else []),
        *([("not judged", _early(honest))] if honest.dropped_early else []),
        *([("not judged", _chosen_before(honest.chosen_before))] if honest.chosen_before else []),
        *([("left out", f"{missing} complete combinations, which have no predictions")] if missing else []),
    ]


def honest_values(honest: Found) -> dict[str, Any]:
    """The fields of `HonestBest`, or why there are none as `unavailable`."""
    return asdict(honest) if isinstance(honest, HonestBest) else {"unavailable": str(honest)}


def _in_part(honest: HonestBest) -> str:
    return f"{honest.dropped_in_part} of the {honest.candidates} were dropped; they are compared on the folds they have"


def _early(honest: HonestBest) -> str:
    return (
        f"{honest.dropped_early} of the {honest.candidates}, dropped after fewer epochs: each may be as good in the "
        "end; the corrected score counts them by how they compared with the best then"
    )


def _chosen_before(count: int) -> str:
    what, they = ("1 other", "it") if count == 1 else (f"{count} others", "each")
    return (
        f"{what} that the search dropped or left behind: {they} may be as good, and the choice against {what} is not "
        "corrected for"
    )


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.4f} to {ends[1]:.4f}"


def _tied(honest: HonestBest) -> str:
    compared = honest.candidates - honest.dropped_early - 1
    if not compared:
        return "not known: there is no other to compare the best with"
    others = honest.tied[1:]
    if not others:
        return f"none of {compared} others may be as good as the best (paired bootstrap, max-t)"
    named = ", ".join(f"#{index}" for index in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    cheapest = "cheapest complete one" if honest.dropped_in_part else "cheapest"
    return f"{named}{more} (paired bootstrap, max-t); {cheapest}: #{honest.cheapest_tied}"
