"""Steering by hand: each wish is asked back on a page of its own, then put to the daemon, and its answer shown."""

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect, Template
from pydantic import ValidationError

from runner.flow.command_arguments import (
    CancelArguments,
    NamedArguments,
    NoArguments,
    PauseArguments,
    SwitchArguments,
    TriggerArguments,
    Verb,
)
from runner.web.pages.page import ASKED, AnyRequest, missing, page
from runner.web.problems import ProblemError
from runner.web.read import definitions, runs
from runner.web.site import Site
from runner.web.steer import steer
from schemas.base import Frozen
from schemas.settings import describe

Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
_QUESTIONS = {
    Verb.PAUSE: ("Pause", "Runs under way go on; nothing new starts until Resume."),
    Verb.RESUME: ("Resume", "What waits may start again, as the guards allow."),
    Verb.STOP: ("Stop the daemon", "Runs under way are asked to save and stop, and go on at the next start. This page"
                " goes away with the daemon where `ouroboros up` started it."),
    Verb.TRIGGER: ("Run now", "The run is queued at once and starts as soon as the guards allow."),
    Verb.CANCEL: ("Cancel", "What runs saves its work and ends; what waits of it waits no more."),
    Verb.PAUSE_SCHEDULE: ("Pause this schedule", "What falls due meanwhile is recorded as missed."),
    Verb.UNPAUSE_SCHEDULE: ("Let this schedule go on", "It fires at its next time."),
    Verb.REMOVE_SCHEDULE: ("Remove this schedule", "What waits of it is cancelled; its history stays."),
    Verb.SWITCH_SCHEDULE: ("Enable or disable this schedule", "A disabled schedule never fires."),
    Verb.PAUSE_TRIGGER: ("Pause this trigger", "It is not looked at until it goes on."),
    Verb.UNPAUSE_TRIGGER: ("Let this trigger go on", "It is looked at again."),
    Verb.REMOVE_TRIGGER: ("Remove this trigger", "Its history stays."),
    Verb.SWITCH_TRIGGER: ("Enable or disable this trigger", "A disabled trigger is not looked at."),
}  # fmt: skip
"""What can be asked here: a title, and what will happen."""
_DEFINITIONS = frozenset({Verb.REMOVE_SCHEDULE, Verb.REMOVE_TRIGGER})
_NAMED = {Verb.PAUSE_SCHEDULE, Verb.UNPAUSE_SCHEDULE, Verb.REMOVE_SCHEDULE, Verb.PAUSE_TRIGGER, Verb.UNPAUSE_TRIGGER,
          Verb.REMOVE_TRIGGER}  # fmt: skip
_SWITCHES = {Verb.SWITCH_SCHEDULE, Verb.SWITCH_TRIGGER}


@get("/steer", sync_to_thread=True)
def ask_back(request: AnyRequest, site: Site) -> Template:
    """Say what will happen, and ask for a word to go with it."""
    query = {key: str(request.query_params.get(key, "")) for key in ("verb", "run", "name", "enabled")}
    verb = _verb(query)
    title, effect = _QUESTIONS[verb]
    _require(site, query)
    names: list[str] = []
    if verb is Verb.TRIGGER:
        with site.history.snapshot() as rows:
            found = rows.execute(
                "SELECT name FROM schedules WHERE removed_at IS NULL UNION SELECT name FROM triggers "
                "WHERE removed_at IS NULL ORDER BY name LIMIT 500"
            )
            names = [row[0] for row in found]
    return page(
        request, site, "steer.html", title, "/", verb=verb.value, effect=effect, query=query, names=names,
        takes_note=verb in _NAMED | {Verb.PAUSE, Verb.TRIGGER}, back=_back(verb), dangerous=verb in
        _DEFINITIONS | {Verb.CANCEL, Verb.STOP},
    )  # fmt: skip


@post("/steer")
async def do(request: AnyRequest, site: Site, data: Form) -> Redirect:
    """Put the wish to the daemon, and show the answer."""
    verb = _verb(data)
    return await put(request, site, verb, _arguments(verb, data), _back(verb))


async def put(request: AnyRequest, site: Site, verb: Verb, arguments: Frozen, back: str) -> Redirect:
    """Ask for it in the name of whoever sent this request; the page that they come back to shows the answer."""
    principal: Any = request.scope["state"]["principal"]
    steered = await steer(site, verb, arguments, principal.name)
    return Redirect(f"{back}?{urlencode({ASKED: steered.id})}", status_code=303)


def _verb(given: dict[str, str]) -> Verb:
    try:
        verb = Verb(given.get("verb", ""))
        _ = _QUESTIONS[verb]
    except (ValueError, KeyError) as error:
        raise ProblemError(400, "this page knows no such wish; go back and choose a button") from error
    return verb


def _require(site: Site, query: dict[str, str]) -> None:
    """That the run, schedule or trigger which a wish names is there; what waits may be of one that was removed.

    Raises:
        NotFoundException: it is not.
    """
    run, name = query["run"], query["name"]
    with site.history.snapshot() as rows:
        if run and not (run.isascii() and run.isdigit() and len(run) < 19 and runs.one(rows, int(run))):
            raise missing(f"run {run}")
        if name and query["verb"] != Verb.CANCEL and not definitions.is_there(rows, name):
            raise missing(f"schedule or trigger {name}")


def _back(verb: Verb) -> str:
    return "/schedules" if verb in _NAMED | _SWITCHES else "/"


def _arguments(verb: Verb, given: dict[str, str]) -> Frozen:
    name, note = given.get("name", ""), given.get("note", "")
    try:
        if verb is Verb.PAUSE:
            return PauseArguments(note=note)
        if verb is Verb.TRIGGER:
            return TriggerArguments(name=name, note=note, emergency=given.get("emergency") == "yes")
        if verb is Verb.CANCEL:
            run = given.get("run", "")
            return CancelArguments(schedule_name=name or None, execution_id=int(run) if run else None)
        if verb in _SWITCHES:
            return SwitchArguments(name=name, enabled=given.get("enabled") == "yes")
        return NamedArguments(name=name, note=note) if verb in _NAMED else NoArguments()
    except ValidationError as error:
        raise ProblemError(422, describe(error)) from error
    except ValueError as error:
        raise ProblemError(422, "run: not a run's number") from error
