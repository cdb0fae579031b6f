"""What the API answers with, beyond the readers' own dataclasses; and the errors that every operation may answer."""

from dataclasses import dataclass
from datetime import datetime

from litestar.openapi.datastructures import ResponseSpec

from runner.web.problems import PROBLEM_JSON, Problem
from runner.web.read.daemon import DaemonView, LoopView
from runner.web.read.definitions import ScheduleView, TriggerView
from runner.web.read.news import AskedCommand, Letter
from runner.web.read.runs import Run
from runner.web.read.waiting import Fire, Occurrence, Told, Waiting
from schemas.automation import RunnerStatus


def _problems(**told: str) -> dict[int, ResponseSpec]:
    return {
        int(status.removeprefix("_")): ResponseSpec(
            data_container=Problem, description=words, media_type=PROBLEM_JSON, generate_examples=False
        )
        for status, words in told.items()
    }


READS = _problems(
    _400="The question cannot be read: a parameter, a cursor",
    _401="A token is needed",
    _404="There is no such thing",
    _421="Not reached by this host name",
    _503="There is no database yet, or it is busy",
)
UNUSABLE = _problems(_422="It cannot be used, or the idempotency key was used for another request")
WRITES = (
    READS
    | UNUSABLE
    | _problems(
        _403="The token may only read, or a page of another site asked",
        _409="Refused: what was asked cannot be done now",
        _413="The request is too large",
        _415="The body is no JSON",
    )
)


@dataclass(frozen=True, slots=True)
class RunListing:
    """Executions, newest first."""

    items: list[Run]
    next: str | None
    """Cursor of the next page; None: this is the last."""


@dataclass(frozen=True, slots=True)
class RunDetails:
    """All that is known of an execution."""

    run: Run
    occurrence: Occurrence | None
    decisions: list[Told]
    attempts: list[Run]
    """Of the same occurrence, in order."""
    messages: list[Letter]


@dataclass(frozen=True, slots=True)
class ScheduleListing:
    """Schedules, by name."""

    items: list[ScheduleView]
    next: str | None


@dataclass(frozen=True, slots=True)
class TriggerListing:
    """Triggers, by name."""

    items: list[TriggerView]
    next: str | None


@dataclass(frozen=True, slots=True)
class QueueListing:
    """What waits, in the order in which it should start."""

    items: list[Waiting]
    depth: int
    """Of all that wait."""
    next: str | None


@dataclass(frozen=True, slots=True)
class CommandListing:
    """What was asked of the daemon, newest first."""

    items: list[AskedCommand]
    next: str | None


@dataclass(frozen=True, slots=True)
class Explained:
    """A cron line in English."""

    words: str
    warning: str
    """Where other schedulers would read the line otherwise; empty: nowhere."""
    fires: list[datetime]


@dataclass(frozen=True, slots=True)
class OccurrenceStory:
    """A due time, why it did or did not run, and its executions."""

    occurrence: Occurrence
    decisions: list[Told]
    attempts: list[Run]


@dataclass(frozen=True, slots=True)
class Why:
    """Why a schedule or trigger did or did not run."""

    name: str
    schedule: ScheduleView | None
    trigger: TriggerView | None
    clock: list[str]
    """What happened to the wall clock in the last day, in words."""
    story: list[OccurrenceStory]
    """Newest first."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Over everything ever run; retention does not change it."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    failure_rate: float
    """Failed share of the settled ones, 0..1."""
    average_execution_time_hours: float


@dataclass(frozen=True, slots=True)
class MailFigures:
    """Messages in the outbox."""

    pending: int
    sent: int
    failed: int
    digest: int
    waiting: int
    """Pending ones that could not be delivered so far."""
    reason: str
    """Of the newest that could not be delivered; empty: none."""


@dataclass(frozen=True, slots=True)
class DaemonStatus:
    """One consistent look at everything."""

    status: RunnerStatus
    running: bool
    """A daemon lives."""
    silence: str
    """That it gives no sign, for how long, and where it stands; empty: it does."""
    paused: bool
    daemon: DaemonView | None
    loops: list[LoopView]
    current: list[Run]
    recent: list[Run]
    queued: list[Waiting]
    queue_depth: int
    schedule_count: int
    next_fires: list[Fire]
    statistics: Totals
    mail: MailFigures
    clock: list[str]


@dataclass(frozen=True, slots=True)
class MailListing:
    """What waits to be sent and what was given up."""

    figures: MailFigures
    items: list[Letter]


@dataclass(frozen=True, slots=True)
class Note:
    """Why; kept with what is asked."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class RunWish:
    """How a run is asked for."""

    note: str = ""
    emergency: bool = False
    """Ahead of all others, and outside the allowed hours too."""
