"""Whatever a job raises becomes a failure with a class and words; none of it ends the worker."""

import errno
import sys

import pytest

from runner.worker.job_errors import failure_of
from schemas.errors import BadInputError
from schemas.execution import FailureClass, RunFailure

LOG = "/runs/00000001/worker.log"


def raising(told: object) -> type[Exception]:
    class OddError(Exception):
        def __str__(self) -> str:
            if isinstance(told, BaseException):
                raise told
            return told  # type: ignore[return-value]

    return OddError


def endless() -> type[Exception]:
    class EndlessError(Exception):
        def __str__(self) -> str:
            return str(self)

    return EndlessError


def in_a_circle() -> Exception:
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    return one


def nested(depth: int) -> BaseException:
    error: Exception = ValueError("deep down")
    for _ in range(depth):
        error = ExceptionGroup("a group", [error])
    return error


class Unshown:
    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (raising(RuntimeError("in __str__"))(), "(its text cannot be read: RuntimeError)"),
        (raising(SystemExit(3))(), "(its text cannot be read: SystemExit)"),
        (raising(KeyboardInterrupt())(), "(its text cannot be read: KeyboardInterrupt)"),
        (raising(7)(), "(its text cannot be read: TypeError)"),
        (endless()(), "(its text cannot be read: RecursionError)"),
        (raising("")(), "OddError"),
        (ValueError("a\0b\udcff\u202e"), r"a\x00b\xff\u202e"),
        (KeyError("x"), "KeyError: 'x'"),
        (GeneratorExit(), "GeneratorExit"),
        (KeyboardInterrupt(), "nobody had asked the run to stop"),
        (in_a_circle(), "one"),
        (nested(5_000), "a group (1 sub-exception)"),
        (
            BaseExceptionGroup("many", [SystemExit(1), ValueError("v"), KeyError("k"), OSError(5, "e")]),
            "many (4 sub-exceptions): SystemExit: 1; ValueError: v; KeyError: 'k'; and 1 more",
        ),
        (SystemExit(-1), "ended the process by itself, with -1"),
        (SystemExit(10**5000), "ended the process by itself, with a int that cannot be shown (ValueError)"),
        (SystemExit("x" * 10_000), "ended the process by itself, with 'xxx"),
        (SystemExit(Unshown()), "with a Unshown that cannot be shown (RuntimeError)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_it_is_told_in_words_and_of_a_bearable_length(error: BaseException, words: str) -> None:
    failure = failure_of(error, LOG)
    assert words in failure.message
    assert len(failure.message) <= 4_000
    assert failure.failure_class is FailureClass.ERROR
    assert RunFailure.model_validate_json(failure.model_dump_json()) == failure


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ExceptionGroup("g", [ValueError(), ExceptionGroup("h", [OSError(errno.ENOSPC, "full")])]), "resource"),
        (ExceptionGroup("g", [BadInputError("a"), BadInputError("b")]), "bad_input"),
        (ExceptionGroup("g", [BadInputError("a"), ValueError("b")]), "error"),
        (BadInputError("a"), "bad_input"),
    ],
)
def test_a_group_is_of_the_class_of_what_is_in_it(error: Exception, kind: str) -> None:
    assert failure_of(error, LOG).failure_class == kind


def test_a_long_traceback_keeps_its_end() -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 50_000)
        deeper(depth - 1)

    try:
        deeper(min(300, sys.getrecursionlimit() // 3))
    except ValueError as error:
        failure = failure_of(error, LOG)
    assert len(failure.traceback) <= 20_000
    assert failure.message.count(LOG) == 1
