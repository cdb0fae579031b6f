"""`/api/v1/schedules`: list, show, save, switch, pause, run, remove."""

from litestar import Response, delete, get, post, put
from litestar.concurrency import sync_to_thread

from runner.flow.command_arguments import (
    CancelArguments,
    NamedArguments,
    ScheduleArguments,
    SwitchArguments,
    TriggerArguments,
    Verb,
)
from runner.schedule import fires
from runner.web.api.answers import READS, WRITES, Note, RunWish, ScheduleListing
from runner.web.api.looking import Cursor, Limit, Name
from runner.web.api.paging import PAGE, cursor_of, key_of
from runner.web.api.steering import Asking, Key, steered
from runner.web.problems import ProblemError
from runner.web.read import definitions
from runner.web.read.definitions import ScheduleView
from runner.web.site import Site
from runner.web.steer import Steered
from schemas.automation import TrainingSchedule


@get("/schedules", responses=READS, sync_to_thread=True, summary="The schedules")
def list_schedules(site: Site, limit: Limit = PAGE, cursor: Cursor = None) -> ScheduleListing:
    """As `ouroboros schedules`, by name."""
    after = key_of(cursor, [str])
    with site.history.snapshot() as rows:
        items = definitions.schedules(rows, limit + 1, str(after[0]) if after else "")
    more = len(items) > limit
    return ScheduleListing(items[:limit], cursor_of(items[limit - 1].name) if more else None)


@get("/schedules/{name:str}", responses=READS, sync_to_thread=True, summary="One schedule")
def show_schedule(site: Site, name: Name) -> ScheduleView:
    """As `ouroboros schedules show`."""
    return _known(site, name)


@put("/schedules/{name:str}", responses=WRITES, status_code=200, summary="Save a schedule")
async def save_schedule(
    site: Site, request: Asking, name: Name, data: TrainingSchedule, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros schedules add`; one of that name is replaced."""
    if data.name != name:
        raise ProblemError(422, f"the schedule is called {data.name}, and the address says {name}")
    fires.check(data.name, data.cron_expression, data.timezone, site.clock())
    return await steered(site, request, Verb.SAVE_SCHEDULE, ScheduleArguments(schedule=data), key)


@delete("/schedules/{name:str}", responses=WRITES, status_code=200, summary="Take a schedule out of service")
async def remove_schedule(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As `ouroboros schedules remove`: its history stays."""
    return await _named(site, request, Verb.REMOVE_SCHEDULE, NamedArguments(name=name), key)


@post("/schedules/{name:str}/run", responses=WRITES, status_code=200, summary="Run it now")
async def run_schedule(
    site: Site, request: Asking, name: Name, data: RunWish | None = None, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros trigger NAME`."""
    wish = data or RunWish()
    arguments = TriggerArguments(name=name, note=wish.note, emergency=wish.emergency)
    return await _named(site, request, Verb.TRIGGER, arguments, key)


@post("/schedules/{name:str}/cancel", responses=WRITES, status_code=200, summary="End what runs and waits of it")
async def cancel_schedule(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As `ouroboros cancel NAME`."""
    return await steered(site, request, Verb.CANCEL, CancelArguments(schedule_name=name), key)


@post("/schedules/{name:str}/pause", responses=WRITES, status_code=200, summary="Pause it")
async def pause_schedule(
    site: Site, request: Asking, name: Name, data: Note | None = None, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros schedules pause`."""
    arguments = NamedArguments(name=name, note=data.note if data else "")
    return await _named(site, request, Verb.PAUSE_SCHEDULE, arguments, key)


@post("/schedules/{name:str}/unpause", responses=WRITES, status_code=200, summary="End its pause")
async def unpause_schedule(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As `ouroboros schedules unpause`."""
    return await _named(site, request, Verb.UNPAUSE_SCHEDULE, NamedArguments(name=name), key)


@post("/schedules/{name:str}/enable", responses=WRITES, status_code=200, summary="Enable it")
async def enable_schedule(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As saving it with `enabled` true."""
    return await _named(site, request, Verb.SWITCH_SCHEDULE, SwitchArguments(name=name, enabled=True), key)


@post("/schedules/{name:str}/disable", responses=WRITES, status_code=200, summary="Disable it")
async def disable_schedule(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As saving it with `enabled` false."""
    return await _named(site, request, Verb.SWITCH_SCHEDULE, SwitchArguments(name=name, enabled=False), key)


SCHEDULE_ROUTES = [
    list_schedules,
    show_schedule,
    save_schedule,
    remove_schedule,
    run_schedule,
    cancel_schedule,
    pause_schedule,
    unpause_schedule,
    enable_schedule,
    disable_schedule,
]
"""In the order in which the page of the API shows them."""


def _known(site: Site, name: str) -> ScheduleView:
    with site.history.snapshot() as rows:
        found = definitions.schedule(rows, name)
    if found is None:
        raise ProblemError(404, f"no schedule {name}")
    return found


async def _named(
    site: Site, request: Asking, verb: Verb, arguments: NamedArguments | SwitchArguments | TriggerArguments, key: str
) -> Response[Steered]:
    """Whoever names one that is not there learns it at once, also where no daemon lives."""
    await sync_to_thread(_known, site, arguments.name)
    return await steered(site, request, verb, arguments, key)
