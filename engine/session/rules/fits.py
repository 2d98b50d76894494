"""Changes of one fit, which every rule makes here, so that the counts and the notes for readers follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from engine.session.combination import FAILED, SCORED

if TYPE_CHECKING:
    from engine.session.combination import FitRecord, FitStatus
    from engine.session.search_facts import SearchFacts


def set_fit(facts: SearchFacts, combination: int, fold: int, record: FitRecord) -> None:
    """Replace a fit's record, unless it is scored: a score that counts is never taken back."""
    fits = facts.combinations[combination].fits
    before = fits[fold].status
    if before is SCORED:
        return
    fits[fold] = record
    after = record.status
    facts.fits_finished += after.is_finished - before.is_finished
    facts.fits_failed += (after is FAILED) - (before is FAILED)
    touch(facts, combination)


def set_status(facts: SearchFacts, combination: int, fold: int, status: FitStatus) -> None:
    """The fit stands elsewhere; what it has brought so far stays."""
    record = facts.combinations[combination].fits[fold]
    set_fit(facts, combination, fold, structs.replace(record, status=status))


def touch(facts: SearchFacts, combination: int) -> None:
    """Note that something happened to a combination, for views that draw it and for `engine.plan.workload`."""
    facts.changed.add(combination)
    facts.touched.add(combination)
