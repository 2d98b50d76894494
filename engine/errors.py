"""Every error that a user can cause, with the exit code it means. One line of text, no traceback."""

from __future__ import annotations

import errno
from pathlib import Path


class FoldwatchError(Exception):
    """Base of all errors that foldwatch raises on purpose; `exit_code` is what a command ends with."""

    exit_code = 1


class UsageError(FoldwatchError):
    """A command or call that cannot mean anything here, such as an unknown session."""

    exit_code = 2


class Words(str):
    """What stands for a value that is too large to be shown: it is shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


LONGEST_SHOWN = 80  # characters of a value within an error


def shortened(shown: str, longest: int = LONGEST_SHOWN) -> str:
    """A value in the words of an error, cut where it is long: an error is one line that can be read."""
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


class SpecError(FoldwatchError):
    """A spec that cannot be run: names the place, the value and what is accepted."""

    exit_code = 2

    def __init__(self, place: str, value: object, accepted: str) -> None:
        self.place, self.value, self.accepted = place, value, accepted
        super().__init__(f"{place}: {shortened(repr(value))} is not accepted; accepted: {accepted}")


class DataError(FoldwatchError):
    """A data file that is missing, cannot be read, or is refused; the message names the file."""

    exit_code = 2


class NoBestError(FoldwatchError):
    """No combination is complete on every fold, so none can be called best."""

    exit_code = 2


class NotAvailableError(FoldwatchError):
    """Something that the record of this search does not allow to be worked out; the message says why."""

    exit_code = 2


class TrainingRefusedError(FoldwatchError):
    """A saved model would not predict what was trained, or a trainer does not cover what it was asked for."""


class UserCodeError(FoldwatchError):
    """A function of the user's own that cannot be used; `last_lines` of the traceback, where its code raised."""

    exit_code = 2

    def __init__(self, message: str, last_lines: str = "") -> None:
        self.last_lines = last_lines
        super().__init__(message)


class SessionUnreadableError(FoldwatchError):
    """A session folder whose record cannot be read; the message names the file."""

    exit_code = 65


class SessionNotTrustedError(SessionUnreadableError):
    """A session folder that others than its owner have written to, or may; the message names the file."""


class CannotCreateError(FoldwatchError):
    """A folder or file cannot be created where it was asked for."""

    exit_code = 73


class InputOutputError(FoldwatchError):
    """Reading, writing or downloading failed underway."""

    exit_code = 74


class OutputError(InputOutputError):
    """Standard output cannot be written, for another reason than that its reader has gone."""


class SessionHeldError(FoldwatchError):
    """Another engine works on the session; the message names it."""

    exit_code = 75


class SearchStopped(FoldwatchError):  # noqa: N818 - an event that ends a script's search, as KeyboardInterrupt is
    """Somebody stopped the search that a script runs; the script, run again, goes on with what is missing."""

    exit_code = 130


class WorkerDiedError(FoldwatchError):
    """A fit of a script lost its worker twice; the message says how."""


def exit_code_of(error: Exception) -> int:
    """What a command ends with because of this error."""
    if isinstance(error, FoldwatchError):
        return error.exit_code
    return InputOutputError.exit_code if isinstance(error, OSError) else FoldwatchError.exit_code


def error_of(exit_code: int, message: str) -> FoldwatchError:
    """The kind of error that ends a command with this exit code, as another process recorded it."""
    for kind in (UsageError, CannotCreateError, InputOutputError, SessionHeldError):
        if kind.exit_code == exit_code:
            return kind(message)
    return FoldwatchError(message)


TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
_CANNOT_CREATE = {errno.EACCES, errno.EPERM, errno.EROFS}
_ADVICE = {
    errno.EMFILE: "; this process may open too few files: ulimit -n",
    errno.ENFILE: "; this machine may open too few files",
    errno.EROFS: "; it can be looked at, not worked on",
    errno.EACCES: "; it can be looked at, not worked on",
}


def cannot_work(where: Path, error: OSError, what: str = "") -> FoldwatchError:
    """What to raise where the system refuses an engine what it needs to work in a folder; `what` it needs there."""
    place = error.filename if isinstance(error.filename, str) else where
    kind = CannotCreateError if error.errno in _CANNOT_CREATE else InputOutputError
    needed = f"{what}: " if what else ""
    return kind(f"{place}: {needed}{error.strerror or error}{_ADVICE.get(error.errno or 0, '')}")


_NO_SUCH_PLACE = {
    *_CANNOT_CREATE,
    *(errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.ELOOP, errno.EILSEQ),
}


def cannot_write(path: Path, what: str, error: OSError | ValueError) -> FoldwatchError:
    """What to raise where a file that somebody asked for cannot be written: is the place wrong, or the disk?

    A ValueError is what Python raises for a name with a NUL or half a character in it.
    """
    if not isinstance(error, OSError):
        return CannotCreateError(f"{path}: {what}: {error}")
    kind = CannotCreateError if error.errno in _NO_SUCH_PLACE else InputOutputError
    return kind(f"{path}: {what}: {error.strerror or error}")
