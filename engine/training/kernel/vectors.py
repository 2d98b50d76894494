"""The sum of selected rows of a matrix, kept in vector registers: the inner loop of both sparse products.

With X the multi-hot batch, W the first kernel and D the deltas of the first layer, the forward product X W is,
for every row of X, the sum of the rows of W that its ones select; the gradient X^T D is, for every word, the sum
of the rows of D in which it occurs. numba's own loops keep such a sum in memory and re-check for overlap at every
term, which made both products twice as slow; so this one function is written in LLVM's instructions.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types

from engine.training.kernel.compiling import cgutils, intrinsic

_VECTOR_BYTES = 64
_LINE_BYTES = 64


@intrinsic
def sum_rows(_typing: Any, table: Any, selection: Any, begin: Any, end: Any, total: Any) -> Any:
    """`total[:] = table[selection[begin:end]].sum(axis=0)`, terms added in order; zeros for an empty selection.

    `table` (rows, units) and `total` (units,) are contiguous and of one floating-point type, `selection` holds
    row numbers. Nothing is checked.
    """
    signature = types.void(table, selection, begin, end, total)
    return signature, _generate


@intrinsic
def fetch(_typing: Any, array: Any, begin: Any, end: Any) -> Any:
    """Ask for `array[begin:end]`, contiguous, to be brought into the cache; harmless beyond the array's end."""
    return types.void(array, begin, end), _generate_fetch


def _generate_fetch(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    size = context.get_abi_sizeof(context.get_value_type(signature.args[0].dtype))
    integer, short, byte = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
    start = builder.bitcast(array.data, byte)
    begin, end = (
        builder.mul(context.cast(builder, arguments[position], signature.args[position], types.int64), integer(size))
        for position in (1, 2)
    )
    kind = ir.FunctionType(ir.VoidType(), [byte, short, short, short])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    with cgutils.for_range_slice(builder, begin, end, integer(_LINE_BYTES), integer) as (at, _):
        # To be read, into every cache, data.
        builder.call(prefetch, [builder.gep(start, [at]), short(0), short(3), short(1)])
    return context.get_dummy_value()


def _generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    table, selection, total = (
        context.make_array(signature.args[position])(context, builder, arguments[position]) for position in (0, 1, 4)
    )
    begin, end = (
        context.cast(builder, arguments[position], signature.args[position], types.int64) for position in (2, 3)
    )
    number = context.get_value_type(signature.args[0].dtype)
    size = context.get_abi_sizeof(number)
    lanes = _VECTOR_BYTES // size
    vector = ir.VectorType(number, lanes)
    integer = ir.IntType(64)
    units = cgutils.unpack_tuple(builder, total.shape, 1)[0]

    def pointer(base: Any, column: Any, kind: Any, offset: int) -> Any:
        address = builder.gep(base, [builder.add(column, integer(offset))])
        return builder.bitcast(address, kind.as_pointer())

    def sum_columns(column: Any, kind: Any, registers: int, width: int) -> None:
        """Sums `registers` neighbouring vectors (or one number), beginning at `column`."""
        zero = ir.Constant(kind, None if kind is vector else 0.0)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(registers)]
        for partial in sums:
            builder.store(zero, partial)
        with cgutils.for_range_slice(builder, begin, end, integer(1), integer) as (position, _):
            row = builder.load(builder.gep(selection.data, [position]))
            row = context.cast(builder, row, signature.args[1].dtype, types.int64)
            start = builder.gep(table.data, [builder.mul(row, units)])
            for register, partial in enumerate(sums):
                term = builder.load(pointer(start, column, kind, register * width), align=size)
                builder.store(builder.fadd(builder.load(partial), term), partial)
        for register, partial in enumerate(sums):
            builder.store(builder.load(partial), pointer(total.data, column, kind, register * width), align=size)

    # Whole groups of eight, four and two vectors first, then single vectors, then single numbers.
    column = cgutils.alloca_once(builder, integer)
    builder.store(integer(0), column)
    for kind, registers, width in (
        (vector, 8, lanes),
        (vector, 4, lanes),
        (vector, 2, lanes),
        (vector, 1, lanes),
        (number, 1, 1),
    ):
        head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
        builder.branch(head)
        builder.position_at_end(head)
        here = builder.load(column)
        beyond = builder.add(here, integer(registers * width))
        builder.cbranch(builder.icmp_signed("<=", beyond, units), body, done)
        builder.position_at_end(body)
        sum_columns(here, kind, registers, width)
        builder.store(beyond, column)
        builder.branch(head)
        builder.position_at_end(done)
    return context.get_dummy_value()
