"""One refit in a worker: a model is trained on all training rows, saved and scored on the test set."""

from __future__ import annotations

import math
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import FoldwatchError, exit_code_of
from engine.session.events import finite
from engine.training.keeping import CheckpointFile, LeftError, Progress, kept_before
from engine.training.refit import refit as refit_model
from engine.workers import messages
from engine.workers.failures import in_one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.training.interface import Epoch, Trainer
    from engine.training.refit import Refitted
    from engine.workers.orders import Orders
    from engine.workers.search_data import SearchData


def refit(
    order: messages.Refit,
    data: SearchData,
    trainer: Callable[[], Trainer],
    orders: Orders,
    send: Callable[[messages.Message], None],
) -> None:
    """Carry out an order to refit, and send how it ended: a refit that raises must not end the worker."""
    try:
        if orders.is_leaving:
            raise LeftError
        saved = _refit(order, data, trainer(), orders, send)
    except LeftError:
        send(messages.RefitLeft(request=order.request))
    except Exception as error:
        send(
            messages.RefitFailed(
                request=order.request,
                error=str(error) if isinstance(error, FoldwatchError) else in_one_line(error),
                exit_code=exit_code_of(error),
                traceback=traceback.format_exc(),
            )
        )
    else:
        send(
            messages.Saved(
                request=order.request,
                sha256=saved.sha256,
                test_scores=saved.test_scores,
                test_rows=len(data.dataset.test),
            )
        )


def _refit(
    order: messages.Refit,
    data: SearchData,
    trainer: Trainer,
    orders: Orders,
    send: Callable[[messages.Message], None],
) -> Refitted:
    checkpoint = Path(order.checkpoint.path)
    kept = kept_before(checkpoint, order.key, order.epochs)
    progress = Progress.after(kept)

    def send_epoch(epoch: Epoch, epochs: int) -> None:
        progress.curve.append((epoch.loss, math.nan, math.nan, epoch.learning_rate))
        send(messages.RefitEpoch(request=order.request, epoch=epoch.number, epochs=epochs, loss=finite(epoch.loss)))

    return refit_model(
        trainer,
        data.dataset,
        order.params,
        epochs=order.epochs,
        seed=data.seed,
        scoring=data.scoring,
        path=Path(order.path),
        record=order.record,
        on_epoch=send_epoch,
        start=kept.checkpoint if kept else None,
        keeper=CheckpointFile(checkpoint, order.key, progress, lambda: orders.is_leaving),
        own=data.own,
    )
