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

CorrectedResult = CorrectedBest | NoBestError | NotAvailableError


def find_corrected(session: Session, state: SearchState) -> CorrectedResult:
    """What may be believed of the best score, so far, or why there is nothing to say."""
    from engine.analysis.selection.corrected import corrected_best

    try:
        return corrected_best(session, state)
    except (NoBestError, NotAvailableError) as error:
        return error


def corrected_facts(result: CorrectedResult) -> list[tuple[str, str]]:
    """Names and values for a list of facts; none before a combination is complete."""
    if isinstance(result, NoBestError):
        return []
    if isinstance(result, NotAvailableError):
        return [("corrected", str(result).partition(";")[0])]
    missing = result.without_predictions
    return [
        (result.metric, f"{result.score:.4f}, 95 % interval {_interval(result.interval)} over rows"),
        (
            "corrected",
            f"{result.corrected:.4f}, 95 % interval {_interval(result.corrected_interval)} "
            f"(BBC-CV, best of {result.candidates})",
        ),
        ("tied", _tied(result)),
        *([("in part", _in_part(result))] if result.dropped_in_part else []),
        *([("not judged", _early(result))] if result.dropped_early else []),
        *([("not judged", _chosen_before(result.chosen_before))] if result.chosen_before else []),
        *([("left out", f"{missing} complete combinations, which have no predictions")] if missing else []),
    ]


def corrected_values(result: CorrectedResult) -> dict[str, Any]:
    """The fields of `CorrectedBest`, or why there are none as `unavailable`."""
    return asdict(result) if isinstance(result, CorrectedBest) else {"unavailable": str(result)}


def _in_part(result: CorrectedBest) -> str:
    return f"{result.dropped_in_part} of the {result.candidates} were dropped; they are compared on the folds they have"


def _early(result: CorrectedBest) -> str:
    return (
        f"{result.dropped_early} of the {result.candidates}, dropped after fewer epochs: each may be as good in the "
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


def _tied(result: CorrectedBest) -> str:
    compared = result.candidates - result.dropped_early - 1
    if not compared:
        return "not known: there is no other to compare the best with"
    others = result.tied[1:]
    if not others:
        return f"none of {compared} others may be as good as the best (paired bootstrap, max-t)"
    named = ", ".join(f"#{index}" for index in others[:_NAMED])
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    cheapest = "cheapest complete one" if result.dropped_in_part else "cheapest"
    return f"{named}{more} (paired bootstrap, max-t); {cheapest}: #{result.cheapest_tied}"
