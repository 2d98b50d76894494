"""The keras trainer drops what the kernel drops."""

from __future__ import annotations

import numpy as np
import pytest

from engine.training import randomness

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.95])
def test_masks_are_the_kernels(rate: float) -> None:
    from engine.training.keras.dropout_masks import mask, mask_keys
    from engine.training.kernel.dropout import fill_mask

    keys = mask_keys(2, 11, first_step=3, steps=4)
    for step in range(4):
        for layer in range(2):
            ours = np.zeros(6 * 31, np.float32)
            fill_mask(ours, rate, randomness.dropout_seed(layer, 11), step + 3)
            assert mask(keys[step, layer], 6, 31, rate).numpy().tobytes() == ours.tobytes()


def test_a_training_with_dropout_ends_as_the_kernels() -> None:
    from engine.training.keras.trainer import KerasTrainer
    from engine.training.kernel import KernelTrainer
    from tests.engine_tests.kernel_tests.kernel_requests import make_request, make_rows

    rows = make_rows(100, 4)
    request = make_request(rows, "adam", network={"dropout": 0.3})
    for theirs, ours in zip(
        KerasTrainer().train(request, rows, rows), KernelTrainer().train(request, rows, rows), strict=True
    ):
        np.testing.assert_allclose(ours.probabilities, theirs.probabilities, atol=1e-5)
