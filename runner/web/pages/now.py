"""The first page: what runs, what waits and why, what comes next, the machine and its limits, what went wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from litestar import get
from litestar.response import Template
from markupsafe import Markup

from runner.web.pages.page import AnyRequest, clockwork, page
from runner.web.pages.words import Clockwork, elo_words
from runner.web.pages.your_snake import your_snake
from runner.web.read import news, runs, tuning, waiting
from runner.web.read.daemon import DaemonView, read_daemon
from runner.web.read.runs import Run, tail
from runner.web.read.waiting import Fire
from runner.web.site import Site
from schemas.errors import StateError, TransientStateError
from schemas.machine import ResourceRequirements
from schemas.outside_text import line

QUEUE_SHOWN, RECENT, ALERTS, ASKED, LOG_LINES = 20, 8, 5, 5, 14
SILENT_AFTER_S = 60.0
_HOURS = 24
_ROW = 38
"""Of the timeline: a name, and below it its fires."""
TUNER = "tuner"


@dataclass(frozen=True, slots=True)
class Current:
    """A run under way, with what is known of its strength and the end of its log."""

    run: Run
    strength: str
    log: list[str]


@get("/", sync_to_thread=True)
def now(request: AnyRequest, site: Site) -> Template:
    """What the daemon does now."""
    clock, alive = clockwork(request, site), site.daemon_lives()
    try:
        with site.history.snapshot() as rows:
            daemon = read_daemon(rows)
            under_way = runs.under_way(rows)
            queue, depth = waiting.queue(rows, QUEUE_SHOWN)
            fires = waiting.coming(rows, clock.now)
            needs, whose = _needs(site, queue, fires)
            seen = {
                "daemon": daemon,
                "queue": queue,
                "depth": depth,
                "fires": fires,
                "recent": runs.latest(rows, RECENT),
                "alerts": news.alerts(rows, ALERTS),
                "wishes": news.asked_lately(rows, ASKED),
            }
    except TransientStateError:
        raise  # it may be back in a moment: nothing is to be begun anew
    except StateError as error:  # nothing has run here yet
        return page(request, site, "first.html", "Now", "/", clock=clock, alive=alive, problem=str(error))
    current = [_current(site, run) for run in under_way]
    gauges = site.machine.gauges(needs, clock.now)
    return page(
        request, site, "now.html", "Now", "/", clock=clock, alive=alive, current=current, gauges=gauges, whose=whose,
        snake=your_snake(site, clock.now), hours=site.settings.guards, timeline=timeline(fires, clock),
        silence=_silence(daemon, alive, clock), **seen,
    )  # fmt: skip


def _silence(daemon: DaemonView | None, alive: bool, clock: Clockwork) -> str:
    """That a daemon which lives gives no sign; "" where it does."""
    if daemon is None or not alive or (clock.now - daemon.heartbeat_at).total_seconds() < SILENT_AFTER_S:
        return ""
    stands = f" It stands in the step {daemon.step}." if daemon.step else ""
    return f"The daemon lives, and its last sign of life came {clock.gap(daemon.heartbeat_at)}.{stands} See its log."


def _current(site: Site, run: Run) -> Current:
    log = tail(run.folder / "worker.log", LOG_LINES, site.settings.runs_dir)
    return Current(run, _strength(site, run), log)


def _strength(site: Site, run: Run) -> str:
    """What the run's worker measured of the best so far, as Elo; the tuner's own state knows it at once."""
    state = run.state
    if run.worker == TUNER:
        try:
            with site.ledger.snapshot() as rows:
                known = tuning.list_runs(rows)
                found = tuning.state_of(rows, known[0].run) if known else None
        except StateError:
            found = None
        if found is not None and found.best is not None:
            return elo_words(found.best.win_rate, found.best.low, found.best.high)
    if state.best_win_rate_games == 0:
        return ""
    return elo_words(state.best_win_rate, state.best_win_rate_low, state.best_win_rate_high)


def _needs(site: Site, queue: list[waiting.Waiting], fires: list[Fire]) -> tuple[ResourceRequirements, str]:
    """The limits of what starts next, and its name."""
    name = queue[0].schedule if queue else fires[0].schedule if fires else ""
    with site.history.snapshot() as rows:
        row = rows.execute("SELECT definition_json FROM schedules WHERE name = ?", (name,)).fetchone()
    schedule = waiting.readable(row[0]) if row else None
    return (schedule.resource_requirements, name) if schedule else (ResourceRequirements(), "")


def timeline(fires: list[Fire], clock: Clockwork) -> Markup:
    """The next fires on a line of hours; nothing where none comes within a day."""
    width, left, right = 720, 24, 24  # half a label of an hour fits on either side
    end = clock.now + timedelta(hours=_HOURS)
    near = [fire for fire in fires if fire.at <= end]
    if not near:
        return Markup("")

    def place(at: datetime) -> float:
        share = (at - clock.now) / timedelta(hours=_HOURS)
        return round(left + share * (width - left - right), 1)

    names = list(dict.fromkeys(fire.schedule for fire in near))
    height = _ROW * len(names) + 26
    parts = [_hours(clock, place, height)]
    for number, name in enumerate(names):
        y = _ROW * number + 28
        parts.append(Markup('<text class="name" x="{}" y="{}">{}</text>').format(left, y - 12, line(name, 60)))
        parts += [
            Markup('<circle class="fire" cx="{}" cy="{}" r="4.5"><title>{} {:%H:%M}</title></circle>').format(
                place(fire.at), y, name, fire.at.astimezone(clock.zone)
            )
            for fire in near
            if fire.schedule == name
        ]
    said = f"The next {_HOURS} hours: " + ", ".join(
        f"{fire.schedule} at {fire.at.astimezone(clock.zone):%H:%M}" for fire in near
    )
    return Markup('<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        width, height, said, Markup("").join(parts)
    )


def _hours(clock: Clockwork, place: Callable[[datetime], float], height: int) -> Markup:
    """Every third hour of the reader's wall."""
    first = clock.now.astimezone(clock.zone).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    parts = []
    for hour in range(_HOURS):
        at = first + timedelta(hours=hour)
        if at.hour % 3 == 0:
            x = place(at)
            parts.append(
                Markup(
                    '<path class="axis" d="M{0} 0V{1}"/><text x="{0}" y="{2}" text-anchor="middle">{3}</text>'
                ).format(x, height - 18, height - 4, f"{at:%H:%M}" if at.hour else f"{at:%a %d}")
            )
    return Markup("").join(parts)
