"""What every optimizer and option trains to, bit for bit, as digests on standard output.

python -m tests.engine_tests.kernel_tests.kernel_digests {few|all} {forwards|backwards}
"""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

from engine.data.rows import Rows
from engine.training.coverage import ACTIVATIONS
from engine.training.kernel import KernelTrainer
from tests.engine_tests.kernel_tests.kernel_requests import OPTIMIZERS, make_request, make_rows

# Layers of a whole number of vectors, and of none; 46 classes, of which a softmax is summed in vectors, and two.
_NETWORKS: list[dict[str, Any]] = [
    {"hidden_units": (64, 64)},
    {"hidden_units": (128,), "l2": 1e-3},
    {"hidden_units": (30, 17, 9), "dropout": 0.3},
    {"hidden_units": (7, 5), "l2": 1e-3, "dropout": 0.2},
    {"hidden_units": ()},
]
_CLASSES = (46, 2, 10)

_Case = tuple[str, dict[str, Any], dict[str, Any], int]


def cases(which: str) -> list[_Case]:
    """Optimizer, its arguments, network and number of classes of each training."""
    if which == "few":
        return [("sgd", {}, network, classes) for network in _NETWORKS[:1] for classes in _CLASSES]
    found: list[_Case] = [
        (optimizer, arguments, network, classes)
        for optimizer, arguments in OPTIMIZERS
        for network in _NETWORKS
        for classes in _CLASSES
    ]
    found += [("rmsprop", {}, {"hidden_units": (64, 20), "activation": name}, 46) for name in ACTIVATIONS]
    return found


def digest_of(case: _Case, rows: dict[int, tuple[Rows, Rows]]) -> str:
    """Of all weights, probabilities and losses of two epochs."""
    optimizer, arguments, network, classes = case
    training, validation = rows[classes]
    request = make_request(training, optimizer, batch_size=64, network=network, **arguments)
    digest = hashlib.sha256()
    for epoch in KernelTrainer().train(request, training, validation):
        for part in (*epoch.weights(), epoch.probabilities):
            digest.update(part.tobytes())
        digest.update(repr((epoch.loss, epoch.validation_loss)).encode())
    return digest.hexdigest()


def main() -> None:
    """Train each, in this order or the other, and print what came of it."""
    which, order = sys.argv[1:]
    rows = {
        classes: (make_rows(300, classes, width=400), make_rows(150, classes, seed=8, width=400))
        for classes in _CLASSES
    }
    chosen = cases(which) if order == "forwards" else cases(which)[::-1]
    print(json.dumps({repr(case): digest_of(case, rows) for case in chosen}))


if __name__ == "__main__":
    main()
