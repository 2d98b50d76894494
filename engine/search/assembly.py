"""The start of a search: data, plan, session and workers, put together. What can be refused is refused here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.plan.plan import make_plan
from engine.plan.prepared import load_data, prepare
from engine.search.loop import RunningSearch
from engine.search.own_model import check_code, check_own_model
from engine.search.reuse import KnownFits, known_fits
from engine.search.session_record import changed_versions, make_record, prepare_again
from engine.search.strategies import check_optuna
from engine.session.draft import SessionDraft
from engine.session.narration import in_sessions
from engine.session.places import new_identifier
from engine.session.session import check_free
from engine.spec.combinations import combinations_of
from engine.system import machine
from engine.workers.start import devices, open_pool, start_worker

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engine.plan.plan import Plan
    from engine.plan.prepared import Prepared
    from engine.search.run_options import RunOptions
    from engine.session.events import Event
    from engine.session.requests import AnyRequest
    from engine.session.session import Session
    from engine.spec.spec import SearchSpec
    from engine.workers.pool import Pool


@dataclass(frozen=True)
class ReadySession:
    """A session that can run, with its workers started on `devices`; whoever has it closes the pool.

    `is_new`: it was made for this search. `after`: its newest segment when nobody worked on it; 0: it has none.
    """

    session: Session
    prepared: Prepared
    pool: Pool
    devices: list[str]
    is_new: bool
    after: int


def begin(spec: SearchSpec, options: RunOptions) -> ReadySession:
    """Make the session of a new search. Raises what a spec, data or a folder can be wrong with."""
    check_optuna(spec)
    combinations = combinations_of(spec)
    expected = make_plan(spec, combinations)  # what it refuses is refused before anything is loaded
    dataset = load_data(spec, options.data_dir, options.progress)
    name = options.name or new_identifier(options.sessions, spec.dataset)
    draft = SessionDraft(options.sessions, name, group_readable=options.group_readable)
    try:
        # Workers first: they import what they need while scikit-learn is imported here.
        pool, chosen = _start_workers(expected, draft.folder, spec, options)
        try:
            prepared = prepare(spec, dataset, combinations)
            # Mistakes in a user's own code are told once, here, and not by every fit.
            code = check_own_model(prepared, len(chosen), draft.folder, options.worker_command)
            record = make_record(
                prepared, name, workers=options.workers, devices=options.devices, data_dir=options.data_dir, code=code
            )
            session = draft.finish(record, prepared.folds, stem="" if options.name else spec.dataset)
        except BaseException:
            pool.close()
            raise
    except BaseException:
        draft.discard()
        raise
    pool.set_log_folder(session.folder)
    return ReadySession(session, prepared, pool, chosen, is_new=True, after=0)


def begin_again(session: Session, options: RunOptions, *, only_save: bool) -> ReadySession:
    """A session as it was, if nobody else works on it and nothing of it has changed. Raises UsageError otherwise.

    `only_save`: nothing is searched, a model is saved.
    """
    if not only_save:
        check_optuna(session.spec)
    session.check_mine()
    after = check_free(session, options.take_over)
    check_code(session)
    changed = changed_versions(session.record)
    if changed and not options.accept_versions and not only_save:
        message = (
            f"{session.id}: began with other versions, so its scores would differ in their last digits: "
            f"{'; '.join(changed)}; to go on all the same: {session.command('resume', '--accept-versions')}"
        )
        raise UsageError(message)
    prepared = prepare_again(session, options.data_dir, options.progress)
    pool, chosen = _start_workers(prepared.plan, session.folder, prepared.spec, options, only_save=only_save)
    return ReadySession(session, prepared, pool, chosen, is_new=False, after=after)


def assemble(
    ready: ReadySession,
    options: RunOptions,
    *,
    publish: Callable[[Event], None],
    requests: Sequence[AnyRequest],
    only_save: bool,
) -> RunningSearch:
    """The search of a session, to be run; a new session reuses what others have scored.

    If that fails, the workers are ended.
    """
    warn = options.progress or (lambda text: None)
    try:
        known = known_fits(ready.prepared, ready.session) if ready.is_new and not options.fresh else KnownFits()
        if known.passed_over:
            warn(
                f"passed over {in_sessions(known.passed_over)} that may have scores to take over: "
                "others than you can have written them"
            )
        return RunningSearch(
            ready.session,
            ready.prepared,
            pool=ready.pool,
            devices=ready.devices,
            publish=publish,
            warn=warn,
            known=known,
            requests=requests,
            only_save=only_save,
            deadline=None if only_save else options.deadline,
            time_limit=options.time_limit,
            keeps_deadline=options.keeps_deadline and not only_save,
            after=ready.after,
        )
    except BaseException:
        ready.pool.close()
        raise


def _start_workers(
    plan: Plan, logs: Path, spec: SearchSpec, options: RunOptions, *, only_save: bool = False
) -> tuple[Pool, list[str]]:
    """A pool with as many workers as are wanted, or as the machine allows; and the device of each."""
    uses_keras = only_save or any(training.trainer == "keras" for training in plan.trainings)
    allowed = machine.default_workers(len(plan.trainings), uses_keras=uses_keras)
    chosen = devices(plan, 1 if only_save else options.workers or allowed, options.devices)
    pool = open_pool(logs, options.worker_command)
    try:
        for number, device in enumerate(chosen):
            start_worker(pool, number, device, plan, spec.scoring)
    except BaseException:
        pool.close()
        raise
    return pool, chosen
