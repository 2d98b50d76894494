"""`foldwatch plan`."""

from __future__ import annotations

from engine.cli.console import Console
from engine.cli.options import AllowLarge, AsJson, DataDir, DeadlineText, Overrides, Plain, SpecPath, Workers
from engine.cli.printing import print_json, print_text
from engine.spec.space import most_different


def plan(
    spec: SpecPath,
    set_: Overrides = None,
    allow_large: AllowLarge = False,
    workers: Workers = None,
    deadline: DeadlineText = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
    plain: Plain = False,
) -> None:
    """Show what a spec means; nothing runs. With --data-dir, scorers that a fold cannot define are refused too."""
    from engine.analysis.forecast.deadline import Deadline, forecast_of_plan
    from engine.formatting.tables import facts
    from engine.formatting.times import in_words
    from engine.plan.plan import make_plan
    from engine.search.strategies import check_optuna, strategy_of
    from engine.session.narration import delay_in_words
    from engine.spec.combinations import combinations_of
    from engine.spec.spec import SearchSpec
    from engine.system import machine

    read = SearchSpec.read(spec, set_ or [], allow_large=allow_large)
    check_optuna(read)
    planned = make_plan(read, combinations_of(read))
    if data_dir is not None and not read.source.synthetic:
        from engine.plan.prepared import load_data, prepare

        prepare(read, load_data(read, data_dir, Console().say), combinations_of(read))
    first = len(planned.combinations)
    strategy = strategy_of(read, first, planned.combinations[0].params)
    notes = [*planned.notes, *strategy.notes(first)]
    to_come = len(strategy.to_come(first))
    total = first + to_come
    requested = read.choice.count
    if requested is not None and (different := min(total, most_different(read.spaces, requested))) < requested:
        notes.append(f"{requested} combinations were asked for; the space has {different} that differ")
    uses_keras = any(training.trainer == "keras" for training in planned.trainings)
    count = workers or machine.default_workers(len(planned.trainings), uses_keras=uses_keras)
    limit = Deadline.read(deadline) if deadline is not None else None
    expected, delay = forecast_of_plan(read, planned, count, limit, to_come=to_come)
    trainers = sorted({combination.trainer for combination in planned.combinations})
    if as_json:
        print_json(
            {
                "combinations": [
                    {"index": c.index, "params": c.params, "trainer": c.trainer, "same_as": c.same_as}
                    for c in planned.combinations
                ],
                "combinations_to_come": to_come,
                "fits": total * planned.splits,
                "trainings": len(planned.trainings),
                "epochs": planned.epochs,
                "epochs_unshared": planned.unshared_epochs,
                "workers": count,
                "seconds": expected.estimate,
                "seconds_interval": [expected.least, expected.most],
                "delay": delay_in_words(delay) if delay else None,
                "notes": notes,
            }
        )
        return
    print_text(
        facts(
            [
                ("data", f"{read.dataset}, {read.rows} rows{', synthetic' if read.source.synthetic else ''}"),
                ("combinations", f"{total}, {first} at first" if to_come else first),
                ("fits", f"{total * planned.splits} = {total} combinations x {planned.splits} splits"),
                (
                    "trainings",
                    f"{len(planned.trainings)}{' at first' if to_come else ''}, {planned.epochs} epochs "
                    f"(unshared: {planned.unshared_epochs})",
                ),
                ("trainer", ", ".join(trainers)),
                ("time", f"{in_words(expected.least)} to {in_words(expected.most)} on {count} workers, a first guess"),
                ("deadline", delay_in_words(delay) if delay else "in time" if limit else None),
                *(("note", note) for note in notes),
                *(("note", note) for note in _idle_gpus(trainers)),
            ]
        )
    )


def _idle_gpus(trainers: list[str]) -> list[str]:
    from engine.system.machine import gpus

    if "kernel" in trainers and gpus():
        return ['the kernel trainer runs on the CPU, so a GPU lies idle; trainer = "keras" uses it']
    return []
