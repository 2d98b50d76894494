"""What each worker does now: fold and epoch, processor, memory; and the GPUs where there are any."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from rich.text import Text

from tui.parts import numbers
from tui.parts.pane import Pane, style_of
from tui.parts.safe_text import clean

if TYPE_CHECKING:
    from engine.session.activity import WorkerState
    from engine.session.state import SearchState
    from tui.live.process_usage import MachineReading

_HISTORY = 8


class WorkersPane(Pane):
    """A line a worker, then a line a GPU."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._state: SearchState | None = None
        self._reading: MachineReading | None = None
        self._processor: dict[int, deque[float]] = {}
        self._remote = ""
        self._is_worked_on = True
        self.entitle("workers")

    @property
    def lines_wanted(self) -> int:
        """How high it would like to be, without its border."""
        workers = len(self._state.workers) if self._state else 0
        gpus = len(self._reading.gpus) if self._reading else 0
        return max(2, min(8, workers + gpus))

    def show(
        self, state: SearchState, reading: MachineReading | None, remote: str = "", *, is_worked_on: bool = True
    ) -> None:
        """The state as it is now; a new reading of the machine if there is one; `remote`: the engine's other host.

        `is_worked_on`: whether an engine lives; the workers of one that died without a word are gone with it.
        """
        if remote != self._remote:
            self.entitle("workers", f"on {remote}")
        self._state, self._remote, self._is_worked_on = state, remote, is_worked_on
        if reading is not None:
            self._reading = reading
            for pid, worker in reading.workers.items():
                self._processor.setdefault(pid, deque(maxlen=_HISTORY)).append(worker.processor)
        self.changed()

    def draw_content(self, width: int, height: int) -> Text:
        """As many lines as there is room for."""
        state = self._state
        finished = state is not None and state.status.is_finished
        # One that saves a model works on a search that has ended.
        is_over = state is not None and finished and not any(worker.alive for worker in state.workers.values())
        if state is not None and state.workers and not self._is_worked_on:
            return Text("no worker runs, because no engine works on the search", style="dim")
        if state is None or not state.workers or is_over:
            return Text("no worker runs" if finished else "no worker has started yet", style="dim")
        lines = [self._worker(state, state.workers[number]) for number in sorted(state.workers)]
        for gpu in self._reading.gpus if self._reading else []:
            line = Text(f"gpu {gpu.number}  ", style="bold")
            done, rest = numbers.bar(gpu.busy, 10)
            line.append(done, style=self._style("success")).append(rest, style="dim")
            line.append(f" {gpu.busy:4.0%}  {numbers.size(gpu.memory)} of {numbers.size(gpu.memory_total)}")
            line.append(f"  {clean(gpu.name, longest=40)}", style="dim")
            lines.append(line)
        if len(lines) > height:
            hidden = len(lines) - height + 1
            lines = [*lines[: height - 1], Text(f"… {hidden} more (o shows all)", style="dim")]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return Text("\n", no_wrap=True).join(lines)

    def _worker(self, state: SearchState, worker: WorkerState) -> Text:
        line = Text(f"{worker.worker:<2} ", style="bold")
        training = state.trainings.get(worker.training) if worker.training is not None else None
        if not worker.alive:
            return line.append("gone", style=self._style("error"))
        if training is None:
            line.append(_without_training(state, worker).ljust(16), style="dim").append(" " * 20)
        else:
            served = sorted(fit.combination for fit in training.fits)
            also = f"+{len(served) - 1}" if len(served) > 1 else ""
            line.append(f"#{served[0]}{also} fold {training.fold}".ljust(16))
            done, rest = numbers.bar(training.epoch / max(1, training.epochs), 8)
            line.append(done, style=self._style("success")).append(rest, style="dim")
            line.append(f" {training.epoch:>3}/{training.epochs:<3} ")
        reading = self._reading.workers.get(worker.pid) if self._reading else None
        if reading is not None and not self._remote:
            history = list(self._processor.get(worker.pid, ()))
            line.append(f" {numbers.sparkline(history):>4}"[-5:], style=self._style("primary"))
            line.append(f" {reading.processor:4.0%}  {numbers.size(reading.memory):>6}")
        if training is not None:
            line.append(f"  {clean(training.trainer, longest=20)}", style="dim")
        if worker.device != "cpu":
            line.append(f" {clean(worker.device, longest=12)}", style="dim")
        return line

    def _style(self, variable: str) -> str:
        return style_of(self.app, variable)


def _without_training(state: SearchState, worker: WorkerState) -> str:
    if state.started is not None and state.started.only_save:
        return "saving"
    # Imports, data and the first compilation come before the first training.
    return "idle" if worker.has_trained or not state.status.is_working else "starting"
