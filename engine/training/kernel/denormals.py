"""Numbers too small for full precision count as zero while a training runs, as in TensorFlow's own kernels.

Deltas of a confident network underflow, and arithmetic on such numbers is a hundred times slower on x86. Other
processors compute with them at full speed and are left as they are.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from llvmlite import ir  # type: ignore[import-untyped]
from llvmlite.binding import get_process_triple  # type: ignore[import-untyped]
from numba.core import types

from engine.training.kernel.compiling import cgutils, compiled, intrinsic

if TYPE_CHECKING:
    from collections.abc import Iterator

_FLUSH_RESULTS_AND_OPERANDS = 0x8040
_IS_X86 = get_process_triple().startswith(("x86_64", "i386", "i686"))


@contextlib.contextmanager
def flushed() -> Iterator[None]:
    """Flush in this thread until the context ends."""
    before = _exchange(0, 0)
    _exchange(before | _FLUSH_RESULTS_AND_OPERANDS, 1)
    try:
        yield
    finally:
        _exchange(before, 1)


@compiled
def _exchange(control: int, write: int) -> int:
    """The control word of the thread's vector unit; replaced by `control` if `write` is 1."""
    before: int = _read_control()
    if write == 1:
        _write_control(control)
    return before


@intrinsic
def _read_control(_typing: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if not _IS_X86:
            return ir.Constant(ir.IntType(64), 0)
        word = cgutils.alloca_once(builder, ir.IntType(32))
        builder.call(_instruction(builder, "llvm.x86.sse.stmxcsr"), [_as_bytes(builder, word)])
        return builder.zext(builder.load(word), ir.IntType(64))

    return types.int64(), generate


@intrinsic
def _write_control(_typing: Any, control: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if _IS_X86:
            word = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(builder.trunc(arguments[0], ir.IntType(32)), word)
            builder.call(_instruction(builder, "llvm.x86.sse.ldmxcsr"), [_as_bytes(builder, word)])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _instruction(builder: Any, name: str) -> Any:
    kind = ir.FunctionType(ir.VoidType(), [ir.IntType(8).as_pointer()])
    return cgutils.get_or_insert_function(builder.module, kind, name)


def _as_bytes(builder: Any, word: Any) -> Any:
    return builder.bitcast(word, ir.IntType(8).as_pointer())
