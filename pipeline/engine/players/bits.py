"""A machine instruction that numba has no name for."""

from typing import Any, Final

from numba.core import types
from numba.extending import intrinsic


def _count_bits(typing_context: Any, word: Any) -> Any:  # noqa: ARG001 - numba's form
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


count_bits: Final[Any] = intrinsic(_count_bits)
"""In compiled code: the number of ones in a uint64, as int64."""
