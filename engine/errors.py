"""Every error that a user can cause, with the exit code it means. One line of text, no traceback."""

from __future__ import annotations


class FoldwatchError(Exception):
    """Base of all errors that foldwatch raises on purpose; `exit_code` is what a command ends with."""

    exit_code = 1


class UsageError(FoldwatchError):
    """A command or call that cannot mean anything here, such as an unknown session."""

    exit_code = 2


class SpecError(FoldwatchError):
    """A spec that cannot be run: names the place, the value and what is accepted."""

    exit_code = 2

    def __init__(self, place: str, value: object, accepted: str) -> None:
        self.place, self.value, self.accepted = place, value, accepted
        shown = repr(value)
        if len(shown) > 80:
            shown = f"{shown[:77]}..."
        super().__init__(f"{place}: {shown} is not accepted; accepted: {accepted}")


class DataError(FoldwatchError):
    """A data file that is missing, cannot be read, or is refused; the message names the file."""

    exit_code = 2


class NoBestError(FoldwatchError):
    """No combination is complete on every fold, so none can be called best."""

    exit_code = 2


class TrainingRefusedError(FoldwatchError):
    """A saved model would not predict what was trained, or a trainer does not cover what it was asked for."""


class SessionUnreadableError(FoldwatchError):
    """A session folder whose record cannot be read; the message names the file."""

    exit_code = 65


class CannotCreateError(FoldwatchError):
    """A folder or file cannot be created where it was asked for."""

    exit_code = 73


class InputOutputError(FoldwatchError):
    """Reading, writing or downloading failed underway."""

    exit_code = 74


class SessionHeldError(FoldwatchError):
    """Another engine works on the session; the message names it."""

    exit_code = 75
