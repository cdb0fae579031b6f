"""One game's record in compiled code: taken out of many, fetched before it is needed, and what its header says."""

from typing import Any, Final, NamedTuple

import numba
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.core import types
from numba.extending import intrinsic
from numba.np import arrayobj

from pipeline.engine import layout
from pipeline.engine.compile_cache import inlined
from pipeline.engine.layout import LINE, Record

cgutils: Any = untyped_cgutils
populate_array: Any = arrayobj.populate_array


def _row_start(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> tuple[Any, Any]:
    found = context.make_array(kind)(context, builder, array)
    offset = builder.mul(index, cgutils.unpack_tuple(builder, found.strides)[0])
    return found, cgutils.pointer_add(builder, found.data, offset)


def _row_of(typing_context: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba's form
    kind = types.Array(array.dtype, array.ndim - 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found, start = _row_start(context, builder, signature.args[0], *arguments)
        row, shape = context.make_array(kind)(context, builder), cgutils.unpack_tuple(builder, found.shape)[1:]
        strides = cgutils.unpack_tuple(builder, found.strides)[2:]
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        populate_array(row, data=start, shape=shape, strides=[*strides, size], itemsize=size, meminfo=None)
        return row._getvalue()

    return kind(array, types.intp), generate


def _fetch_line(typing_context: Any, array: Any, index: Any, offset: Any) -> Any:  # noqa: ARG001 - numba's form
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        _, start = _row_start(context, builder, signature.args[0], *arguments[:2])
        address = cgutils.pointer_add(builder, start, arguments[2], pointer)
        asked = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, asked, "llvm.prefetch.p0i8")
        # To be written (1), wanted in the nearest cache (3), data and no code (1).
        builder.call(function, [address, number(1), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


_ROW: Final[Any] = intrinsic(_row_of)
"""A row of an array whose rows are contiguous, and known to be so: numba would read the step between items instead."""
_FETCH: Final[Any] = intrinsic(_fetch_line)


if numba.config.BOUNDSCHECK:  # type: ignore[attr-defined]

    @inlined
    def record_of(records: Any, index: int) -> Record:
        """Return game `index` of `Records` or `Slots`."""
        return Record(records.fields[index], records.grid[index], records.clock[index], records.corpses[index])

else:

    @inlined
    def record_of(records: Any, index: int) -> Record:
        """Return game `index` of `Records` or `Slots`."""
        return Record(
            _ROW(records.fields, index), _ROW(records.grid, index), _ROW(records.clock, index),
            _ROW(records.corpses, index),
        )  # fmt: skip


@inlined
def fetch(records: Any, index: int, size: int) -> None:
    """Begin to fetch the first `size` bytes of game `index`; no harm beyond the last game."""
    for at in range(0, size, LINE):
        _FETCH(records.clock, index, at)


class Board(NamedTuple):
    """What stays the same all game long, read from a record or known when a kernel is compiled.

    Width and height (cells), number of snakes, bits of the ruleset, number of the map.
    """

    width: int
    height: int
    snakes: int
    rules: int
    map: int


@inlined
def board_of(game: Record) -> Board:
    """Return what a game's header says."""
    return Board(
        int(game.fields[layout.WIDTH]),
        int(game.fields[layout.HEIGHT]),
        int(game.fields[layout.SNAKES]),
        int(game.fields[layout.RULES]),
        int(game.fields[layout.MAP]),
    )
