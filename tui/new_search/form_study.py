"""Everything that the new-search screen shows about a form, computed at once in a thread."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, UsageError
from engine.spec.space import Axis
from engine.system.machine import allowed_cpus, check_devices, gpus
from tui.new_search.class_sizes import DataView, class_sizes
from tui.new_search.schedule_curves import ScheduleCurves, schedule_curves_of
from tui.new_search.spec_summary import SpecSummary, summary_of
from tui.spec_text.form import Form, Reading, field_of_space, read

if TYPE_CHECKING:
    from pathlib import Path

    from engine.spec.spec import SearchSpec


@dataclass(frozen=True)
class Study:
    """What came out: `hints` and `problems` by field; no summary where anything is wrong.

    Curves and data are those of what is not wrong, if that is a spec.
    """

    form: Form
    reading: Reading
    problems: dict[str, str]
    hints: dict[str, str]
    summary: SpecSummary | None
    curves: ScheduleCurves | None
    data: DataView | None
    machine: str

    @property
    def spec(self) -> SearchSpec | None:
        """The spec, if nothing is wrong."""
        return None if self.problems else self.reading.spec


def study(form: Form, batch_number: int, data_folder: Path | None) -> Study:
    """Work it out; takes up to a second for very large grids."""
    reading = read(form)
    summary, problems = summary_of(reading)
    if reading.devices is not None:
        try:
            check_devices(reading.devices)
        except UsageError as error:
            problems = {**problems, "devices": str(error).removeprefix("devices: ")}
    # What is wrong is no reason to say nothing of the rest.
    spec = reading.rest
    has_rates = not any(name.endswith(".learning_rate") for name in problems)
    return Study(
        form=form,
        reading=reading,
        problems=problems,
        hints={name: hint for name, hint in _hints(spec).items() if name not in problems} if spec is not None else {},
        summary=summary,
        curves=schedule_curves_of(spec, batch_number) if spec is not None and has_rates else None,
        data=_data(spec, data_folder) if spec is not None else None,
        machine=machine_in_words(),
    )


def _hints(spec: SearchSpec) -> dict[str, str]:
    hints = {"subsample": f"{spec.rows:,} rows"} if spec.subsample != 1.0 else {}
    if spec.stage:
        hints["strategy"] = f"{len(spec.stage)} stages"
    for number, axes in enumerate(spec.spaces):
        for axis in axes:
            hints[field_of_space(number, axis.name)] = _count(axis)
    return hints


def _count(axis: Axis) -> str:
    if axis.has_distribution:
        return "drawn" if len(axis.options) == 1 else f"{len(axis.options)}, drawn"
    return f"{len(axis.options):,} values" if len(axis.options) > 1 else "fixed"


def _data(spec: SearchSpec, data_folder: Path | None) -> DataView:
    source = spec.source
    sizes = class_sizes(source, spec.rows, spec.folds)
    try:
        place = source.whereabouts(data_folder)
    except FoldwatchError as error:
        return DataView(source, "", False, spec.rows, spec.folds, sizes, str(error))
    return DataView(source, str(place), place.at_hand, spec.rows, spec.folds, sizes)


@functools.cache
def machine_in_words() -> str:
    """`2 CPUs`, and the GPUs where there are some."""
    cpus = allowed_cpus()
    words = f"{cpus} CPU{'s' if cpus != 1 else ''}"
    found = gpus()
    if not found:
        return words
    names = " + ".join(dict.fromkeys(gpu.name for gpu in found))
    return f"{words}, {len(found)} GPU{'s' if len(found) != 1 else ''} ({names})"
