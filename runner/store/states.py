"""The states that rows pass through."""

from enum import StrEnum
from typing import TypeVar

from schemas.execution import Outcome


class OccurrenceState(StrEnum):
    """What has become of one due occurrence."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    COALESCED = "coalesced"
    """Another occurrence stands for it: `coalesced_into`."""
    MISSED = "missed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class ExecutionStatus(StrEnum):
    """Where one attempt at a run stands. All but the first two are final, and are the words of `Outcome`."""

    STARTING = "starting"
    """The intent is written; the worker may or may not live yet."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"


class OutboxState(StrEnum):
    """What has become of a message."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    """Given up after repeated failure; kept for a person to see."""
    DIGEST = "digest"
    """Waits to be gathered into the next digest."""


class TriggerFileState(StrEnum):
    """What has become of a trigger file."""

    CLAIMED = "claimed"
    """Moved out of the triggers folder and recorded; not judged yet."""
    QUEUED = "queued"
    REJECTED = "rejected"
    ARCHIVED = "archived"


class TokenScope(StrEnum):
    """What a token of the REST interface may do."""

    READ = "read"
    STEER = "steer"
    """And read."""


_Word = TypeVar("_Word", bound=StrEnum)


def word_of(text: str, words: type[_Word], otherwise: _Word) -> _Word:
    """The word that a row holds; `otherwise` where somebody wrote one that is none."""
    try:
        return words(text)
    except ValueError:
        return otherwise


_OF_OUTCOME = {
    Outcome.SUCCEEDED: OccurrenceState.SUCCEEDED,
    Outcome.FAILED: OccurrenceState.FAILED,
    Outcome.TIMED_OUT: OccurrenceState.FAILED,
    Outcome.CANCELLED: OccurrenceState.CANCELLED,
    Outcome.LOST: OccurrenceState.FAILED,
}


def occurrence_state(outcome: Outcome) -> OccurrenceState:
    """How an occurrence ends whose last execution ended as `outcome`."""
    return _OF_OUTCOME[outcome]
