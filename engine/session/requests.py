"""Requests to the engine of a session: small files renamed into its `control/` folder, each applied once."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from engine.errors import InputOutputError, UsageError
from engine.session.record_limits import Name, Number, Values, check_depth
from engine.spec.bounds import LATEST, LONGEST_SPAN
from engine.system.regular_files import TooLargeError, open_regular, owner_of, read_within
from engine.system.whole_files import write_whole

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = 64 << 10  # bytes; a request has some hundred, so a longer file was not written by foldwatch


class Request(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Something that a user wants from a running search."""


class Pause(Request, frozen=True):
    """Halt trainings at their next epoch's end, keeping their state."""


class Resume(Request, frozen=True):
    """Go on after a pause."""


class Stop(Request, frozen=True):
    """Finish the fits that are running and end; `at_once`, or while paused: leave them, with checkpoints."""

    at_once: bool = False


class Skip(Request, frozen=True):
    """Do not run the fits of a combination that have no score yet."""

    combination: Number


class Retry(Request, frozen=True):
    """Run the failed, skipped or dropped fits of a combination after all."""

    combination: Number


class Save(Request, frozen=True):
    """Refit a combination (None: the best), save it at an absolute path, score it on the test set.

    `request` names the request, so that its answer is not confused with the answers to others.
    """

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=4_096, pattern=r"^[^\x00]+$")]
    combination: Number | None = None
    request: Name = ""


class SetDeadline(Request, frozen=True):
    """End by `at` (seconds since 1970), or `seconds` after the engine reads this; with neither there is no deadline."""

    at: Annotated[float, msgspec.Meta(ge=0, le=LATEST)] | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_SPAN)] | None = None


class AddValues(Request, frozen=True):
    """Search more values of some hyperparameters, with all values of the others; as a spec's space writes them.

    `allow_large`: as in a spec.
    """

    values: Values
    allow_large: bool = False


class DropValues(Request, frozen=True):
    """Do not run the fits without a score of the combinations whose parameter has this value."""

    parameter: Name
    value: Any


class PutFirst(Request, frozen=True):
    """Run the fits of a combination that have no score yet before all others that wait."""

    combination: Number


class Clone(Request, frozen=True):
    """Add a copy of a combination with some hyperparameters changed, written as in a spec's space; it comes first."""

    combination: Number
    changes: Annotated[dict[Name, Any], msgspec.Meta(max_length=1_000)]


class Undo(Request, frozen=True):
    """Take back the last AddValues, DropValues, PutFirst or Clone that was not taken back yet."""


def new_name() -> str:
    """A name for a request, unlike any other."""
    return secrets.token_hex(8)


AnyRequest = (
    Pause | Resume | Stop | Skip | Retry | Save | SetDeadline | AddValues | DropValues | PutFirst | Clone | Undo
)

_decoder = msgspec.json.Decoder(AnyRequest)


def write_request(folder: Path, request: Request) -> None:
    """Write a request into a session's folder.

    Raises InputOutputError if the folder cannot be written, UsageError if the request is longer than an engine reads.
    """
    content = msgspec.json.encode(request)
    if len(content) > _LARGEST:
        message = f"a request of {len(content):,} bytes is not accepted; accepted: at most {_LARGEST:,} bytes"
        raise UsageError(message)
    control = folder / "control"
    name = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    try:
        write_whole(control / f"{name}.json", content, mode=0o600)
    except OSError as error:
        message = f"{control}: cannot leave a request for the engine: {error.strerror}"
        raise InputOutputError(message) from error


def _read(path: Path) -> tuple[bytes | None, str]:
    """The content of a request's file, and an empty text; or None, and why the file is refused."""
    try:
        with open_regular(path) as file:
            if (owner := owner_of(file)) not in (os.geteuid(), 0):
                return None, f"written by user {owner}, not by the session's owner"
            return read_within(file, _LARGEST), ""
    except TooLargeError:
        return None, "longer than a request can be"
    except OSError as error:
        return None, error.strerror or str(error)


def take_requests(folder: Path) -> tuple[list[AnyRequest], list[str]]:
    """Requests that wait, oldest first, and messages about files that are refused; both are removed from the folder."""
    control = folder / "control"
    taken: list[AnyRequest] = []
    refused: list[str] = []
    for name in sorted(os.listdir(control)):
        if name.startswith(".") or not name.endswith(".json"):
            continue
        path = control / name
        content, reason = _read(path)
        try:
            path.unlink()
        except OSError as error:
            # A file that cannot be removed must not be read again each time: it is renamed.
            content, reason = None, reason or error.strerror or str(error)
            with contextlib.suppress(OSError):
                path.rename(control / f".refused-{name}")
        if content is not None:
            try:
                check_depth(content)
                taken.append(_decoder.decode(content))
            except ValueError as error:  # msgspec's errors are among them
                reason = str(error)
        if reason:
            refused.append(f"control/{name}: {reason}")
    return taken, refused
