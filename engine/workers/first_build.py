"""The first build of a user's own model, in a worker: what is wrong with the code is told before a search begins."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError
from engine.training.requests import training_request
from engine.training.user_code import files_in_use, open_function
from engine.workers import messages

if TYPE_CHECKING:
    from engine.spec.models import KerasFunction

_LAST_FRAMES = 3
_LONGEST = 2_000  # characters of the traceback's end


def build(order: messages.Build) -> messages.Built:
    """Import the function, and build a model twice; what that needs, or what went wrong and where."""
    from engine.training.keras.first_build import check_builds

    try:
        own = open_function(order.model, {})
        request = training_request(
            order.params, row_count=order.rows, width=order.width, classes=order.classes, seed=order.seed, own=own
        )
        check_builds(request)
    except FoldwatchError as error:
        return messages.Built(error=str(error))  # in our own words: no line of the code raised it
    except (Exception, SystemExit) as error:  # whatever the user's code raises is the user's to read
        return messages.Built(error=_told(order.model, error), traceback=_last_lines(order.model, error))
    return messages.Built(files=files_in_use(order.model))


def _told(model: KerasFunction, error: BaseException) -> str:
    """The place in the user's code and what was raised, in one line."""
    place = _place(model, error)
    words = " ".join(str(error).split())[:_LONGEST]
    return f"{place}: {type(error).__name__}{': ' if words else ''}{words}"


def _place(model: KerasFunction, error: BaseException) -> str:
    """The last line of the user's own that the error passed through, else the function."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}"
    own = _own_frames(model, error)
    return f"{own[-1].filename}, line {own[-1].lineno}, in {own[-1].name}" if own else model.function


def _own_frames(model: KerasFunction, error: BaseException) -> list[traceback.FrameSummary]:
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if _is_theirs(frame.filename, Path(model.folder))]


def _is_theirs(filename: str, folder: Path) -> bool:
    return Path(filename).resolve().is_relative_to(folder.resolve()) and "site-packages" not in Path(filename).parts


def _last_lines(model: KerasFunction, error: BaseException) -> str:
    """The traceback as far as it leads through the user's own code, and its last lines: the rest is long."""
    frames = traceback.format_list(_own_frames(model, error)[-_LAST_FRAMES:])
    return "".join([*frames, *traceback.format_exception_only(error)]).rstrip()[-_LONGEST:]
