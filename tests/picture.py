"""Draws the pictures of the live view: python -m tests.picture --data-dir DIR [--script]

It runs a real search on Reuters in a folder of its own, opens it in the app, and takes the picture when most fits are
scored: `tui/live.svg`, the README's, or, with `--script`, `docs/watch.svg`, of the example script. Look at it before
you commit it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tui_tests.pilots import until
from tui.app import FoldwatchApp
from tui.live.screen import LiveScreen
from tui.plots.curves_plot import CurvesPlot
from tui.plots.learning_rate_plot import LearningRatePlot

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "tui/live.svg"
SCRIPT, PICTURE_OF_SCRIPT = ROOT / "examples/watch_gridsearch.py", ROOT / "docs/watch.svg"
NAME = "reuters-01"
SPEC = """
dataset = "reuters"
folds = 3
scoring = ["accuracy", "f1_macro"]

[space]
batch_size = [128, 512]
epochs = [5, 10, 20]
hidden_units = [64, 128]
optimizer = "adam"

[[space.learning_rate]]
schedule = "ExponentialDecay"
initial_learning_rate = 0.002
decay_epochs = 1
decay_rate = [0.8, 0.96]
"""
SHARE = 0.8  # of the fits: then the table is nearly full and workers are still at work
SHARE_OF_SCRIPT = 0.5  # whose longest fits come last


async def draw(sessions: Path, share: float) -> str:
    """The live view as SVG, with the second best combination pinned."""
    app = FoldwatchApp(session=NAME, sessions=sessions, theme="dark")
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, LiveScreen), "the live view")
        screen = app.screen
        assert isinstance(screen, LiveScreen)
        live = screen.live
        await until(pilot, lambda: 0 < live.state.fits_total * share < live.state.fits_finished, "scores", seconds=900)
        await pilot.press("g", "down", "m", "down")
        await until(pilot, lambda: screen.query_one(CurvesPlot).curves, "curves")
        await until(pilot, lambda: len(screen.query_one(LearningRatePlot).lines) == 2, "learning rates")
        picture = app.export_screenshot(title="foldwatch")
        if live.is_alive:
            await pilot.press("x", "a")
            await until(pilot, lambda: not live.is_alive, "the engine's end", seconds=60)
        return picture


def main() -> None:
    """Run the search and take the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="where Reuters lies")
    parser.add_argument("--script", action="store_true", help="the picture of the example script")
    chosen = parser.parse_args()
    data_folder = chosen.data_dir.absolute()
    if chosen.script:
        draw_script(data_folder / "reuters.npz")
        return
    with tempfile.TemporaryDirectory() as folder:
        sessions, spec = Path(folder) / "sessions", Path(folder) / "spec.toml"
        spec.write_text(SPEC)
        engine = [sys.executable, "-m", "engine"]
        options = ["--name", NAME, "--sessions", str(sessions), "--data-dir", str(data_folder), "--workers", "2"]
        subprocess.run([*engine, "run", str(spec), *options, "--detach"], check=True)
        PICTURE.write_text(asyncio.run(draw(sessions, SHARE)), encoding="utf-8")
    print(PICTURE)


def draw_script(data: Path) -> None:
    """Run the example script, take the picture, and stop its search."""
    with tempfile.TemporaryDirectory() as folder:
        sessions = Path(folder) / "sessions"
        command = [sys.executable, str(SCRIPT), "--name", NAME, "--data", str(data), "--to", f"{folder}/best.keras"]
        with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "FOLDWATCH_SESSIONS": str(sessions)}) as script:
            try:
                while not (sessions / NAME / "journal.1.jsonl").exists():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        script.wait(0.1)
                        sys.exit("the script has ended")
                PICTURE_OF_SCRIPT.write_text(asyncio.run(draw(sessions, SHARE_OF_SCRIPT)), encoding="utf-8")
            finally:
                script.terminate()
    print(PICTURE_OF_SCRIPT)


if __name__ == "__main__":
    main()
