"""`/api/v1/triggers`: list, show, save, switch, pause, run, remove."""

from litestar import Response, delete, get, post, put
from litestar.concurrency import sync_to_thread

from runner.flow.command_arguments import (
    NamedArguments,
    SwitchArguments,
    TriggerArguments,
    TriggerDefinitionArguments,
    Verb,
)
from runner.web.api.answers import READS, WRITES, Note, RunWish, TriggerListing
from runner.web.api.looking import Cursor, Limit, Name
from runner.web.api.paging import PAGE, cursor_of, key_of
from runner.web.api.steering import Asking, Key, steered
from runner.web.child import run_module
from runner.web.problems import ProblemError
from runner.web.read import definitions
from runner.web.read.definitions import TriggerView
from runner.web.site import Site
from runner.web.steer import Steered
from schemas.automation import TriggerCondition


@get("/triggers", responses=READS, sync_to_thread=True, summary="The triggers")
def list_triggers(site: Site, limit: Limit = PAGE, cursor: Cursor = None) -> TriggerListing:
    """As `ouroboros triggers`, by name."""
    after = key_of(cursor, [str])
    with site.history.snapshot() as rows:
        items = definitions.triggers(rows, limit + 1, str(after[0]) if after else "")
    more = len(items) > limit
    return TriggerListing(items[:limit], cursor_of(items[limit - 1].name) if more else None)


@get("/triggers/{name:str}", responses=READS, sync_to_thread=True, summary="One trigger")
def show_trigger(site: Site, name: Name) -> TriggerView:
    """As `ouroboros triggers show`."""
    return _known(site, name)


@put("/triggers/{name:str}", responses=WRITES, status_code=200, summary="Save a trigger")
async def save_trigger(
    site: Site, request: Asking, name: Name, data: TriggerCondition, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros triggers add`; one of that name is replaced."""
    if data.name != name:
        raise ProblemError(422, f"the trigger is called {data.name}, and the address says {name}")
    code, _, problem = await run_module(site, "runner.triggers.conditions", given=data.model_dump_json())
    if code:
        raise ProblemError(422, problem)
    return await steered(site, request, Verb.SAVE_TRIGGER, TriggerDefinitionArguments(trigger=data), key)


@delete("/triggers/{name:str}", responses=WRITES, status_code=200, summary="Take a trigger out of service")
async def remove_trigger(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As `ouroboros triggers remove`: its history stays."""
    return await _named(site, request, Verb.REMOVE_TRIGGER, NamedArguments(name=name), key)


@post("/triggers/{name:str}/run", responses=WRITES, status_code=200, summary="Run it now")
async def run_trigger(
    site: Site, request: Asking, name: Name, data: RunWish | None = None, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros trigger NAME`."""
    wish = data or RunWish()
    arguments = TriggerArguments(name=name, note=wish.note, emergency=wish.emergency)
    return await _named(site, request, Verb.TRIGGER, arguments, key)


@post("/triggers/{name:str}/pause", responses=WRITES, status_code=200, summary="Pause it")
async def pause_trigger(
    site: Site, request: Asking, name: Name, data: Note | None = None, key: Key = ""
) -> Response[Steered]:
    """As `ouroboros triggers pause`."""
    arguments = NamedArguments(name=name, note=data.note if data else "")
    return await _named(site, request, Verb.PAUSE_TRIGGER, arguments, key)


@post("/triggers/{name:str}/unpause", responses=WRITES, status_code=200, summary="End its pause")
async def unpause_trigger(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As `ouroboros triggers unpause`."""
    return await _named(site, request, Verb.UNPAUSE_TRIGGER, NamedArguments(name=name), key)


@post("/triggers/{name:str}/enable", responses=WRITES, status_code=200, summary="Enable it")
async def enable_trigger(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As saving it with `enabled` true."""
    return await _named(site, request, Verb.SWITCH_TRIGGER, SwitchArguments(name=name, enabled=True), key)


@post("/triggers/{name:str}/disable", responses=WRITES, status_code=200, summary="Disable it")
async def disable_trigger(site: Site, request: Asking, name: Name, key: Key = "") -> Response[Steered]:
    """As saving it with `enabled` false."""
    return await _named(site, request, Verb.SWITCH_TRIGGER, SwitchArguments(name=name, enabled=False), key)


TRIGGER_ROUTES = [
    list_triggers,
    show_trigger,
    save_trigger,
    remove_trigger,
    run_trigger,
    pause_trigger,
    unpause_trigger,
    enable_trigger,
    disable_trigger,
]
"""In the order in which the page of the API shows them."""


def _known(site: Site, name: str) -> TriggerView:
    with site.history.snapshot() as rows:
        found = definitions.trigger(rows, name)
    if found is None:
        raise ProblemError(404, f"no trigger {name}")
    return found


async def _named(
    site: Site, request: Asking, verb: Verb, arguments: NamedArguments | SwitchArguments | TriggerArguments, key: str
) -> Response[Steered]:
    """Whoever names one that is not there learns it at once, also where no daemon lives."""
    await sync_to_thread(_known, site, arguments.name)
    return await steered(site, request, verb, arguments, key)
