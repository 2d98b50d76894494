"""The app's colours: dark, light, the terminal's own, and a palette that the colour-blind can tell apart.

The last one is that of Okabe and Ito (2008). `foldwatch-faint` is for what stands behind something else.
"""

from __future__ import annotations

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="foldwatch-dark",
    primary="#6cb6ff",
    secondary="#b39df3",
    accent="#6cb6ff",
    warning="#f2b155",
    error="#ff7b72",
    success="#7ee0a1",
    foreground="#d7dde5",
    background="#0f1419",
    surface="#0f1419",
    panel="#1b232c",
    dark=True,
    variables={"foldwatch-faint": "#66717f", "foldwatch-line": "#2d3743", "foldwatch-cursor": "#22364d"},
)
LIGHT = Theme(
    name="foldwatch-light",
    primary="#0a5fb4",
    secondary="#6f42c1",
    accent="#0a5fb4",
    warning="#9a5b00",
    error="#b42318",
    success="#1a7f37",
    foreground="#1f2328",
    background="#fbfcfd",
    surface="#fbfcfd",
    panel="#eaeef2",
    dark=False,
    variables={"foldwatch-faint": "#7d8794", "foldwatch-line": "#c8d1da", "foldwatch-cursor": "#cfe4fb"},
)
COLOUR_BLIND = Theme(
    name="foldwatch-colour-blind",
    primary="#56b4e9",
    secondary="#cc79a7",
    accent="#56b4e9",
    warning="#e69f00",
    error="#d55e00",
    success="#f0e442",
    foreground="#e6e6e6",
    background="#101214",
    surface="#101214",
    panel="#1f2428",
    dark=True,
    variables={"foldwatch-faint": "#6d757d", "foldwatch-line": "#343b42", "foldwatch-cursor": "#0b3a55"},
)
TERMINAL = Theme(
    name="foldwatch-terminal",
    primary="ansi_blue",
    secondary="ansi_magenta",
    accent="ansi_cyan",
    warning="ansi_yellow",
    error="ansi_red",
    success="ansi_green",
    foreground="ansi_default",
    background="ansi_default",
    surface="ansi_default",
    panel="ansi_default",
    boost="ansi_default",
    dark=True,
    ansi=True,
    variables=BUILTIN_THEMES["ansi-dark"].variables
    | {
        "foldwatch-faint": "ansi_bright_black",
        "foldwatch-line": "ansi_bright_black",
        "foldwatch-cursor": "ansi_blue",
        "block-cursor-foreground": "ansi_white",
        "block-cursor-background": "ansi_blue",
        "input-cursor-background": "ansi_bright_white",
        "input-cursor-foreground": "ansi_black",
    },
)
THEMES = (DARK, LIGHT, COLOUR_BLIND, TERMINAL)
SHORT_NAMES = {theme.name.removeprefix("foldwatch-"): theme.name for theme in THEMES}
# For Textual's own themes, which can be chosen in the palette.
DEFAULTS = {"foldwatch-faint": "#6b7280", "foldwatch-line": "#4b5563", "foldwatch-cursor": "#3b5b80"}
