"""What a job's exception says, whatever it is: of which class the failure is, and in which words it is told.

A job may raise anything: groups, exceptions without text or whose text cannot be made, `SystemExit` with any code,
causes in a circle. Nothing of that may cost the run its result.
"""

import errno
import logging
import traceback
from collections.abc import Iterator
from contextlib import suppress

from schemas.errors import BadInputError, MachineError
from schemas.execution import FailureClass, RunFailure
from schemas.outside_text import LINE_LIMIT, TRACE_LIMIT, error_line, error_text, line

_log = logging.getLogger("runner.worker")
_RESOURCE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_MOST_LOOKED_AT = 1_000
"""Exceptions of one group or chain of causes."""
_TOLD_OF_A_GROUP = 3


def failure_of(error: BaseException, log_path: str) -> RunFailure:
    """The failure to tell; the log gets the whole text, however long.

    Args:
        log_path: named where the text is cut short.
    """
    with suppress(Exception):  # a text that cannot be made, or is nested too deep for Python's own formatter
        _log.error("The run failed", exc_info=error)
    return RunFailure(failure_class=_class_of(error), message=_message(error, log_path), traceback=_trace(error))


def _message(error: BaseException, log_path: str) -> str:
    if isinstance(error, SystemExit):
        return f"the job ended the process by itself, with {_shown(error.code)}"
    if isinstance(error, KeyboardInterrupt):
        return "the job was interrupted (KeyboardInterrupt, or a SIGINT sent to it); nobody had asked the run to stop"
    if isinstance(error, KeyError):  # which says no more than the key
        return error_line(error, whole_in=log_path)
    told = error_text(error, whole_in=log_path) or type(error).__name__
    if isinstance(error, BaseExceptionGroup):
        within = [leaf for leaf in _within(error) if not isinstance(leaf, BaseExceptionGroup)]
        more = f"; and {len(within) - _TOLD_OF_A_GROUP} more" if len(within) > _TOLD_OF_A_GROUP else ""
        told += ": " + "; ".join(error_line(leaf, LINE_LIMIT) for leaf in within[:_TOLD_OF_A_GROUP]) + more
    return told


def _shown(code: object) -> str:
    try:
        return line(repr(code), LINE_LIMIT)
    except Exception as broken:  # noqa: BLE001 - anybody's object
        return f"a {type(code).__name__} that cannot be shown ({type(broken).__name__})"


def _trace(error: BaseException) -> str:
    """The end of the traceback: there stands what failed. Of a text that is too long the log has the whole."""
    try:
        return "".join(traceback.format_exception(error))[-TRACE_LIMIT:]
    except Exception as broken:  # noqa: BLE001 - an exception whose own text cannot be made
        return f"(no traceback: {type(broken).__name__} while it was written)"


def _class_of(error: BaseException) -> FailureClass:
    """What kind of failure it is, its causes included: `raise SnakeError from OSError(ENOSPC)` is a full disk; and so
    is a group of which one is."""
    if any(_of_resources(seen) for seen in _within(error)):
        return FailureClass.RESOURCE
    leaves = [seen for seen in _within(error, causes=False) if not isinstance(seen, BaseExceptionGroup)]
    bad_input = bool(leaves) and all(isinstance(leaf, BadInputError) for leaf in leaves)
    return FailureClass.BAD_INPUT if bad_input else FailureClass.ERROR


def _of_resources(error: BaseException) -> bool:
    if isinstance(error, MemoryError | MachineError):
        return True
    if isinstance(error, OSError) and error.errno in _RESOURCE_ERRNOS:
        return True
    return any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)  # torch's, without importing it


def _within(error: BaseException, *, causes: bool = True) -> Iterator[BaseException]:
    """The exception, those of its group, and their causes; each once, as causes may run in a circle."""
    waiting, known = [error], set[int]()
    while waiting and len(known) < _MOST_LOOKED_AT:
        seen = waiting.pop(0)
        if id(seen) in known:
            continue
        known.add(id(seen))
        yield seen
        if isinstance(seen, BaseExceptionGroup):
            waiting += seen.exceptions
        if causes and seen.__cause__ is not None:
            waiting.append(seen.__cause__)
