"""A machine instruction that numba has no name for."""

from typing import Any

from numba.core import types
from numba.extending import intrinsic


@intrinsic
def count_bits(typing_context: Any, word: Any) -> Any:  # noqa: ARG001 - numba's form
    """Return the number of ones in a uint64, as int64."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate
