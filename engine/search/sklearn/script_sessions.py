"""The sessions of a script: which one a search goes on with, or a new one; and the scores that they hold."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from engine.search.sklearn.fits import identity, shown_value, text_of
from engine.search.sklearn.scores import scoring_names
from engine.session.draft import SessionDraft
from engine.session.events import FitScored
from engine.session.places import IDENTIFIER
from engine.session.record import FORMAT, INTERACTIVE, NOTEBOOK, DataRecord, ScriptRecord, SearchRecord
from engine.session.session import Session, check_free, open_session
from engine.system import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.search.sklearn.fits import ScriptFit
    from engine.search.sklearn.script_search import KnownScores

_LONGEST_STEM = 56  # letters of a session's name, so that a number has room behind it
_LONGEST_ESTIMATOR = 20_000  # letters of its text
_MOST_SEARCHES = 1_000  # of one script


class ScriptSessions:
    """Names the searches of one `watch`: NAME, NAME-2, ... in the order in which they begin.

    `warn` hears of sessions whose scores cannot be read.
    """

    def __init__(self, folder: Path, name: str | None, *, group_readable: bool, warn: Callable[[str], None]) -> None:
        self._folder, self._stem = folder, name or script_name()
        self._group_readable, self._warn = group_readable, warn
        self._used: set[str] = set()

    def session_of(self, fits: Sequence[ScriptFit], workers: int) -> tuple[Session, int]:
        """The session of a search that begins with these fits, and its newest segment, 0 of a new session.

        Raises SessionHeldError where an engine works on it, UsageError where it is somebody else's.
        """
        digest = identity(fits)
        for name in self._names():
            if name in self._used:
                continue
            self._used.add(name)
            place = self._folder / name
            if not place.exists():
                return self._new_session(name, fits, digest, workers), 0
            session = open_session(name, self._folder)
            if session.record.script is not None and session.record.script.digest == digest:
                session.check_mine()
                return session, check_free(session)
        message = f"{self._stem}: a script can have at most {_MOST_SEARCHES} searches of one name"
        raise FoldwatchError(message)

    def known_scores(self) -> KnownScores:
        """Scores by the digests of their fits, of all sessions of this name that are this user's."""
        known: KnownScores = {}
        for name in self._names():
            if not (self._folder / name).exists():
                break
            try:
                session = open_session(name, self._folder)
                if session.record.script is None or not session.is_mine:
                    continue
                for event in session.follow().poll():
                    if isinstance(event, FitScored) and event.digest:
                        known.setdefault(event.digest, (session.id, event))
            except FoldwatchError as error:
                self._warn(f"nothing is taken over from {name}: {error}")
        return known

    def _names(self) -> Iterator[str]:
        yield self._stem
        for number in range(2, _MOST_SEARCHES + 1):
            yield f"{self._stem}-{number}"

    def _new_session(self, name: str, fits: Sequence[ScriptFit], digest: str, workers: int) -> Session:
        draft = SessionDraft(self._folder, name, group_readable=self._group_readable)
        try:
            return draft.finish(_record_of(name, fits, digest, workers), None)
        except BaseException:
            draft.discard()
            raise


def _record_of(name: str, fits: Sequence[ScriptFit], digest: str, workers: int) -> SearchRecord:
    fit, splits = fits[0], max(fit.split for fit in fits) + 1
    caller = fit.caller
    path = script_path()
    caller_name = type(caller).__name__ if caller is not None else "cross-validation"
    estimator = text_of(fit.arguments[0])[:_LONGEST_ESTIMATOR]
    return SearchRecord(
        format=FORMAT,
        id=name,
        created=time.time(),
        spec={
            "dataset": Path(path).name,
            "strategy": caller_name,
            "scoring": scoring_names(fit),
            "folds": splits,
            "seed": shown_value(getattr(caller, "random_state", None)),
        },
        data=DataRecord(
            source_sha256="",
            digest="",
            folds_sha256="",
            rows=fit.rows,
            test_rows=0,
            classes=0,
            synthetic=False,
        ),
        versions=machine.versions(),
        host=socket.gethostname(),
        cpu=machine.cpu_model(),
        workers=workers,
        script=ScriptRecord(path=path, caller=caller_name, estimator=estimator, digest=digest),
    )


def script_path() -> str:
    """The path of the script that runs; what stands for it where there is none, as in a notebook."""
    place = getattr(sys.modules.get("__main__"), "__file__", None)
    if place is not None:
        return str(Path(place).absolute())
    return NOTEBOOK if "ipykernel" in sys.modules else INTERACTIVE


def script_name() -> str:
    """What a session of this script is called where nobody named it."""
    stem = Path(script_path()).stem.lower()
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in stem).strip("-")
    return name[:_LONGEST_STEM] if IDENTIFIER.fullmatch(name[:_LONGEST_STEM]) else "script"
