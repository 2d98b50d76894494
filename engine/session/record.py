"""What a session was created with, as `search.json` holds it: the spec, the data, versions and machine."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.session.record_limits import Count, Moment, Name, Place, Text

FORMAT = 1
NOTEBOOK, INTERACTIVE = "notebook", "interactive session"  # in the place of the path of a script that is no file


class DataRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The data that the search was created with, so that a resume can check that they are unchanged."""

    source_sha256: Name
    digest: Name
    folds_sha256: Name
    rows: Count
    test_rows: Count
    classes: Count
    synthetic: bool


class ScriptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a search lives that a script runs: the script's `path`, the class that searches, its estimator.

    `digest`: of the combinations and splits, which tells one search of a script from another.
    """

    path: Place
    caller: Name
    estimator: Text
    digest: Name

    @property
    def advice(self) -> str:
        """Why the search cannot be changed from outside, and what to do instead."""
        return (
            f"this search lives in {place_in_words(self.path, 'the script ')}; to change it, resume it or save its "
            "model, change the script and run it again: fits that are scored are not run again"
        )

    @property
    def going_on(self) -> str:
        """What runs what is missing."""
        return f"run the script again: {place_in_words(self.path)}"


def place_in_words(path: str, before: str = "") -> str:
    """Where a search lives: the path of its script, behind `before`, or what stands for it where there is no file."""
    return {NOTEBOOK: "a notebook", INTERACTIVE: "an interactive session"}.get(path, f"{before}{path}")


class SearchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `search.json`: the spec, and the data, versions and machine that the session was created with.

    `script`: where the search lives, if a script runs it; its `spec` is then no spec, and holds only what lists show.
    `code`: the files of the function that builds the model, if that is the user's own, each with its SHA-256.
    """

    format: Count
    id: Name
    created: Moment
    spec: dict[Name, Any]
    data: DataRecord
    versions: Annotated[dict[Name, Name], Meta(max_length=1_000)]
    host: Name
    cpu: Name
    workers: Count | None = None
    devices: Annotated[list[Name], Meta(max_length=1_000)] | None = None
    data_dir: Place | None = None
    spec_sha256: Name = ""
    script: ScriptRecord | None = None
    code: Annotated[dict[Place, Name], Meta(max_length=10_000)] = {}
