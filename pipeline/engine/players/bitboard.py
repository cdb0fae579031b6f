"""Sets of spots held in registers: tuples of as many uint64 as a board needs, in compiled code alone.

A spot is bit `spot & 63` of word `spot >> 6`. Every operation is compiled for the number of words that it is given, and
written out word by word: numba would keep a tuple in memory over whose words a loop runs.
"""

from typing import Any, Final

from numba.core import cgutils as untyped_cgutils
from numba.core import types
from numba.extending import intrinsic as untyped_intrinsic

cgutils: Any = untyped_cgutils
intrinsic: Any = untyped_intrinsic

Spots = Any
"""A set of spots, `tuple[uint64, ...]`."""


def _word_by_word(operation: Any) -> Any:
    def typed(typing_context: Any, one: Any, other: Any) -> Any:  # noqa: ARG001 - numba's form
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
            pairs = zip(*(cgutils.unpack_tuple(builder, spots) for spots in arguments), strict=True)
            return cgutils.pack_array(builder, [operation(builder, *pair) for pair in pairs])

        return one(one, other), generate

    return intrinsic(typed)


def _over_words(kind: Any, part: Any, join: Any) -> Any:
    def typed(typing_context: Any, spots: Any) -> Any:  # noqa: ARG001 - numba's form
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
            first, *others = (part(builder, word) for word in cgutils.unpack_tuple(builder, arguments[0]))
            for value in others:
                first = join(builder, first, value)
            return first

        return kind(spots), generate

    return intrinsic(typed)


def _shifted(*, up: bool) -> Any:
    def typed(typing_context: Any, spots: Any, by: Any) -> Any:  # noqa: ARG001 - numba's form
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
            words, rest = cgutils.unpack_tuple(builder, arguments[0]), builder.sub(arguments[1].type(64), arguments[1])
            words = words if up else words[::-1]
            onward, across = (builder.shl, builder.lshr) if up else (builder.lshr, builder.shl)
            moved = [onward(word, arguments[1]) for word in words]
            for index, before in enumerate(words[:-1], start=1):
                moved[index] = builder.or_(moved[index], across(before, rest))
            return cgutils.pack_array(builder, moved if up else moved[::-1])

        return spots(spots, types.uint64), generate

    return intrinsic(typed)


def _word_at(typing_context: Any, spots: Any, index: Any) -> Any:  # noqa: ARG001 - numba's form
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        spots, index = arguments
        found = cgutils.unpack_tuple(builder, spots)[0].type(0)
        for number, word in enumerate(cgutils.unpack_tuple(builder, spots)):
            found = builder.select(builder.icmp_signed("==", index, index.type(number)), word, found)
        return found

    return types.uint64(spots, types.int64), generate


def _placed(typing_context: Any, word: Any, index: Any, like: Any) -> Any:  # noqa: ARG001 - numba's form
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001 - numba's form
        word, index, _ = arguments
        places = (builder.icmp_signed("==", index, index.type(number)) for number in range(like.count))
        return cgutils.pack_array(builder, [builder.select(here, word, word.type(0)) for here in places])

    return like(types.uint64, types.int64, like), generate


def _words_of(typing_context: Any, row: Any, like: Any) -> Any:  # noqa: ARG001 - numba's form
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        places = (builder.gep(first, [context.get_constant(types.intp, number)]) for number in range(like.count))
        return cgutils.pack_array(builder, [builder.load(place) for place in places])

    return like(row, like), generate


union: Final[Any] = _word_by_word(lambda builder, one, other: builder.or_(one, other))
common: Final[Any] = _word_by_word(lambda builder, one, other: builder.and_(one, other))
without: Final[Any] = _word_by_word(lambda builder, one, other: builder.and_(one, builder.not_(other)))
size: Final[Any] = _over_words(
    types.int64, lambda builder, word: builder.ctpop(word), lambda builder, one, other: builder.add(one, other)
)
"""The number of spots."""
any_of: Final[Any] = _over_words(
    types.uint64, lambda _, word: word, lambda builder, one, other: builder.or_(one, other)
)
"""0 where the set is empty."""
up: Final[Any] = _shifted(up=True)
"""Every spot's number raised by 1 to 63; what leaves the words is gone."""
down: Final[Any] = _shifted(up=False)
"""Every spot's number lowered by 1 to 63; what leaves the words is gone."""
word_at: Final[Any] = intrinsic(_word_at)
"""One word of a set by its number, 0 beyond the last."""
placed: Final[Any] = intrinsic(_placed)
"""`placed(word, index, like)`: the set, long as `like`, with that word in that place alone, nowhere beyond the last."""
words_of: Final[Any] = intrinsic(_words_of)
"""`words_of(row, like)`: the set, as long as `like`, at the start of a row of words that lie side by side."""
