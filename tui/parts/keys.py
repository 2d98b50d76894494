"""Every key of the app by purpose, for the help screen; tests hold it against the bindings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """Keys as they are read aloud, what they do, and the equivalent command."""

    keys: str
    what: str
    command: str = ""


LIVE: dict[str, list[Key]] = {
    "Steer the search": [
        Key("s", "start an engine, or resume after a pause", "foldwatch resume ID"),
        Key("p", "pause at the next epoch's end, keeping what is trained", "foldwatch pause ID"),
        Key("x", "stop: finish running fits, or at once", "foldwatch stop ID [--at-once]"),
        Key("D", "end by a deadline, such as 20m or 18:00; a resume runs what is missing", "foldwatch deadline ID 20m"),
        Key("K", "skip the selected combination", "foldwatch skip ID --combination N"),
        Key(
            "c :",
            "change the search: add or drop values, a combination first, a changed copy, undo",
            "foldwatch add ID hidden_units=256",
        ),
        Key("1", "run the selected combination first", "foldwatch first ID --combination N"),
        Key("U", "undo the last change", "foldwatch undo ID"),
        Key(
            "r",
            "finish the selected combination, failed, skipped or dropped; or retry all that failed",
            "foldwatch retry ID --combination N [--combination M]",
        ),
        Key("b", "refit, save and test the best combination", "foldwatch save ID --to PATH"),
        Key("B", "refit, save and test the selected combination", "foldwatch save ID --combination N --to PATH"),
        Key("e", "export the results as CSV or JSON", "foldwatch export ID --format csv"),
        Key("Z", "zoom: a new search with finer values around the best ones", "foldwatch zoom ID --to SPEC.toml"),
        Key("y", "copy the command shown last (over SSH and in tmux too)"),
    ],
    "Read the table": [
        Key("f /", "filter: optimizer=adam mean>0.8 batch_size>=128 status=running #17 wide"),
        Key("< >", "sort by the column to the left or right; click a heading"),
        Key("v", "reverse the sort order"),
        Key("m", "mark: pin the row to the top and its schedule into the plot"),
        Key("z", "freeze the order while you read"),
        Key("left right", "scroll the columns; rank, number and mean stay"),
        Key("enter", "details of the combination, or of a line of the log"),
        Key(
            "t",
            "trends: what matters, means, heat map, the top; brush axes to select",
            "foldwatch report ID",
        ),
    ],
    "Plots": [
        Key("u", "learning rate over epochs or steps"),
        Key("l", "learning rate linear or logarithmic"),
    ],
    "Move": [
        Key("up down j k", "by lines"),
        Key("page up, page down, ctrl+u, ctrl+d, space", "by pages"),
        Key("home end g G", "first and last"),
        Key("tab, shift+tab", "next pane, pane before"),
        Key("o", "maximise the pane, and back"),
        Key("escape", "back: close what is open, clear the filter, leave the view"),
    ],
    "The app": [
        Key("?", "these keys; type to search"),
        Key("ctrl+p", "command palette: themes and everything else by name"),
        Key("q", "quit: the search continues without the view", "foldwatch attach ID"),
    ],
}

_BACK = Key("escape q", "back")

DETAIL: dict[str, list[Key]] = {
    "One combination": [
        Key("y", "copy the command that runs it again"),
        Key("c", "copy the Python snippet that runs it again"),
        Key("n N", "the next combination, the one before"),
        Key("u", "learning rate over epochs or steps"),
        Key("l", "learning rate linear or logarithmic"),
        Key("up down j k", "scroll"),
        _BACK,
    ]
}
TRENDS: dict[str, list[Key]] = {
    "The whole grid": [
        Key("left right", "parallel coordinates: another axis"),
        Key("up down j k", "parallel coordinates: brush a level, move the brush; other panes: scroll"),
        Key("+ -", "a level more, a level fewer"),
        Key("c", "clear the brush of the axis"),
        Key("C", "clear the whole selection, a typed filter too"),
        Key("d", "another hyperparameter down the heat map"),
        Key("a", "another hyperparameter across it"),
        Key("v", "curves and learning rate of the best in place of the means, and back"),
        Key("i", "compute importance again", "foldwatch report ID"),
        Key("o", "maximise the pane, and back"),
        Key("tab, shift+tab", "next pane, pane before"),
        Key("t", "back; the selection stays as the table's filter"),
        _BACK,
    ]
}
