"""What may be believed of a search's best score, as lines for people and as values for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from engine.analysis.selection.choices import CorrectedBest
from engine.errors import NoBestError, NotAvailableError

if TYPE_CHECKING:
    from engine.session.session import Session
    from engine.session.state import SearchState

_NAMED = 3

Found = CorrectedBest | NoBestError | NotAvailableError


def find_corrected(session: Session, state: SearchState) -> Found:
    """What may be believed of the best score, so far, or why there is nothing to say."""
    from engine.analysis.selection.corrected import corrected_best

    try:
        return corrected_best(session, state)
    except (NoBestError, NotAvailableError) as error:
        return error


def corrected_facts(found: Found) -> list[tuple[str, str]]:
    """Names and values for a list of facts; none before a combination is complete."""
    if isinstance(found, NoBestError):
        return []
    if isinstance(found, NotAvailableError):
        return [("corrected", str(found).partition(";")[0])]
    missing = found.without_predictions
    return [
        (found.metric, f"{found.score:.4f}, 95 % interval {_interval(found.interval)} over rows"),
        (
            "corrected",
            f"{found.corrected:.4f}, 95 % interval {_interval(found.corrected_interval)} "
            f"(BBC-CV, best of {found.candidates})",
        ),
        ("tied", _tied(found)),
        *([("in part", _in_part(found))] if found.dropped_in_part else []),
        *([("not judged", _early(found))] if found.dropped_early else []),
        *([("not judged", _chosen_before(found.chosen_before))] if found.chosen_before else []),
        *([("left out", f"{missing} complete combinations, which have no predictions")] if missing else []),
    ]


def corrected_values(found: Found) -> dict[str, Any]:
    """The fields of `CorrectedBest`, or why there are none as `unavailable`."""
    return asdict(found) if isinstance(found, CorrectedBest) else {"unavailable": str(found)}


def _in_part(found: CorrectedBest) -> str:
    return f"{found.dropped_in_part} of the {found.candidates} were dropped; they are compared on the folds they have"


def _early(found: CorrectedBest) -> str:
    return (
        f"{found.dropped_early} of the {found.candidates}, dropped after fewer epochs: each may be as good in the "
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


def _tied(found: CorrectedBest) -> str:
    compared = found.candidates - found.dropped_early - 1
    if not compared:
        return "not known: there is no other to compare the best with"
    others = found.tied[1:]
    if not others:
        return f"none of {compared} others may be as good as the best (paired bootstrap, max-t)"
    named = ", ".join(f"#{index}" for index in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    cheapest = "cheapest complete one" if found.dropped_in_part else "cheapest"
    return f"{named}{more} (paired bootstrap, max-t); {cheapest}: #{found.cheapest_tied}"
