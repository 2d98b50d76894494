"""What a scored fit predicted for the rows it was validated on: packed for the record, read by its place, checked.

A fit's predictions are a block of `predictions.<segment>.bin`; the event of its score holds its place and its
checksum. The rows are the validation rows of the fit's fold, ascending. A block is a header
(format, bytes a class, rows) and, compressed by zlib: the labels, the predicted classes, and the high and then the low
bytes of the losses as float16. All numbers are little-endian.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.session.record_limits import LARGEST_PREDICTIONS
from engine.session.segments import predictions_path
from engine.system.regular_files import Opener, open_regular, read_at

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from engine.session.events import PredictionsPlace

# A worker's line has room for the block of so many rows, whatever they hold; the predictions of more are not kept.
MOST_ROWS = 500_000
_FORMAT = 1
_HEADER = struct.Struct("<BBI")
_FASTEST = 1  # of zlib's levels; the others gain some percent


@dataclass(frozen=True, eq=False)
class Predictions:
    """Of a fit's validation rows, in ascending order: the true class, the predicted one, and the logarithmic loss.

    `labels`, `classes` (rows,) uint16; `losses` (rows,) float32: minus the natural logarithm of the probability of the
    true class, that probability held within float32's epsilon of 0 and 1, as scikit-learn's `log_loss` does, and
    rounded to the 11 binary digits of a float16.
    """

    labels: NDArray[np.uint16]
    classes: NDArray[np.uint16]
    losses: NDArray[np.float32]

    @classmethod
    def of(
        cls, labels: NDArray[np.integer], classes: NDArray[np.integer], probabilities: NDArray[np.float32]
    ) -> Predictions:
        """From the true classes, the predicted ones, and the probabilities (rows,) of the true ones."""
        import numpy as np

        epsilon = np.finfo(np.float32).eps
        losses = -np.log(np.clip(probabilities, epsilon, 1 - epsilon))
        return cls(labels.astype(np.uint16), classes.astype(np.uint16), losses.astype(np.float16).astype(np.float32))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """The probability of the true class of each row, shape (rows,), right to about three decimals."""
        import numpy as np

        return np.exp(-self.losses)

    def pack(self) -> bytes:
        """The block; empty where there are more than MOST_ROWS rows."""
        import numpy as np

        rows = len(self)
        if rows > MOST_ROWS:
            return b""
        size = 1 if max(self.labels.max(initial=0), self.classes.max(initial=0)) < 1 << 8 else 2
        classes = [array.astype(f"<u{size}").tobytes() for array in (self.labels, self.classes)]
        # The high bytes of the numbers are similar and compress well when they stand together.
        losses = self.losses.astype("<f2").view(np.uint8).reshape(rows, 2)
        content = b"".join([*classes, losses[:, 1].tobytes(), losses[:, 0].tobytes()])
        return _HEADER.pack(_FORMAT, size, rows) + zlib.compress(content, _FASTEST)

    @classmethod
    def unpack(cls, block: bytes) -> Predictions | None:
        """The predictions of a block that `pack` returned; None for any other bytes."""
        import numpy as np

        if len(block) < _HEADER.size:
            return None
        known, size, rows = _HEADER.unpack_from(block)
        if known != _FORMAT or size not in (1, 2) or rows > MOST_ROWS:
            return None
        expected = rows * (2 * size + 2)
        compressed = zlib.decompressobj()
        try:
            content = compressed.decompress(block[_HEADER.size :], expected + 1)
        except zlib.error:
            return None
        if len(content) != expected or not compressed.eof:
            return None
        labels, classes = np.frombuffer(content, f"<u{size}", 2 * rows).reshape(2, rows).astype(np.uint16)
        high, low = np.frombuffer(content, np.uint8, 2 * rows, 2 * size * rows).reshape(2, rows)
        losses = np.stack([low, high], axis=1).view("<f2")[:, 0].astype(np.float32)
        return cls(labels, classes, losses)


def read_block(folder: Path, place: PredictionsPlace, opened: Opener = open_regular) -> bytes | None:
    """The block at a place of a session's folder; None if it is gone or damaged."""
    if place.length > LARGEST_PREDICTIONS:
        return None
    try:
        with opened(predictions_path(folder, place.segment)) as file:
            block = read_at(file, place.offset, place.length)
    except OSError:
        return None
    return block if block and zlib.crc32(block) == place.checksum else None


def read_predictions(folder: Path, place: PredictionsPlace, opened: Opener = open_regular) -> Predictions | None:
    """The predictions at a place of a session's folder; None if they are gone or damaged."""
    block = read_block(folder, place, opened)
    return None if block is None else Predictions.unpack(block)
