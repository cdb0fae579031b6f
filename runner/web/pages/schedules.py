"""Schedules and triggers: listed, made, changed; the next five fires are shown as one types."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from litestar import get, post
from litestar.concurrency import sync_to_thread
from litestar.response import Redirect, Template
from pydantic import BaseModel, ValidationError

from runner.flow.command_arguments import ScheduleArguments, TriggerDefinitionArguments, Verb
from runner.schedule import fires
from runner.schedule.describe import describe, seconds_first_warning
from runner.triggers.conditions import BUILT_INS, check_condition
from runner.web.pages.page import AnyRequest, clockwork, missing, page
from runner.web.pages.steering import Form, put
from runner.web.pages.words import zone_of
from runner.web.read import definitions, waiting
from runner.web.site import Site
from schemas.automation import CatchUpPolicy, OverlapPolicy, TrainingSchedule, TriggerCondition, TriggerType
from schemas.errors import OuroborosError, ScheduleError
from schemas.training import TrainingPhase

_Model = TypeVar("_Model", bound=BaseModel)
LISTED, FIRES, OCCURRENCES, EDITS, VERSIONS = 200, 5, 12, 20, 6
_SCHEDULE_FIELDS = ("name", "cron_expression", "timezone", "priority", "max_duration_hours", "worker", "overlap",
                    "catch_up", "note")  # fmt: skip
_TRIGGER_FIELDS = ("name", "trigger_type", "condition_function", "cooldown_hours", "check_interval_s", "schedule",
                   "priority")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preview:
    """What a cron line comes to."""

    words: str
    warning: str
    fires: list[str]
    """Instants as `YYYY-MM-DD HH:MM` in the line's own zone."""
    problem: str


@get("/schedules", sync_to_thread=True)
def schedules(request: AnyRequest, site: Site) -> Template:
    """All of them."""
    with site.history.snapshot() as rows:
        plans = definitions.schedules(rows, LISTED)
        conditions = definitions.triggers(rows, LISTED)
        total = definitions.schedule_count(rows)
    plans.sort(key=lambda plan: (plan.next_run is None, plan.next_run or plan.name, plan.name))
    return page(
        request, site, "schedules.html", "Schedules and triggers", "/schedules", plans=plans, conditions=conditions,
        total=total, alive=site.daemon_lives(),
    )  # fmt: skip


@get("/new/schedule", sync_to_thread=True)
def new_schedule(request: AnyRequest, site: Site) -> Template:
    """An empty form."""
    tree = TrainingSchedule(name="new", cron_expression="0 3 * * *").model_dump(mode="json")
    return _schedule_form(request, site, tree | {"name": ""}, {}, "New schedule")


@get("/new/schedule/fires", sync_to_thread=True)
def preview(request: AnyRequest, site: Site) -> dict[str, Any]:
    """What is typed, in words, and its next five fires."""
    query = {key: str(request.query_params.get(key, ""))[:300] for key in ("cron_expression", "timezone", "name")}
    return asdict(_preview(site, query))


@get("/schedules/{name:str}", sync_to_thread=True)
def schedule(request: AnyRequest, site: Site, name: str) -> Template:
    """One schedule: its form, why it did or did not run, and who changed it."""
    with site.history.snapshot() as rows:
        known = definitions.schedule(rows, name)
    if known is None:
        raise missing(f"schedule {name}")
    tree = known.definition.model_dump(mode="json") if known.definition else {"name": name}
    return _schedule_form(request, site, tree, {}, name)


@post("/schedules")
async def save_schedule(request: AnyRequest, site: Site, data: Form) -> Redirect | Template:
    """Save what the form says, or show it again with what is wrong beside each field."""
    tree, errors = _schedule_tree(data)
    made: TrainingSchedule | None = None
    if not errors:
        made, errors = _validated(TrainingSchedule, tree)
    if made is not None:
        try:
            fires.check(made.name, made.cron_expression, made.timezone, site.clock())
        except ScheduleError as error:
            errors = {"cron_expression": str(error)}
    if errors or made is None:
        form = await sync_to_thread(
            _schedule_form, request, site, tree, errors, str(tree.get("name") or "New schedule")
        )
        form.status_code = 422
        return form
    return await put(request, site, Verb.SAVE_SCHEDULE, ScheduleArguments(schedule=made), "/schedules")


@get("/new/trigger", sync_to_thread=True)
def new_trigger(request: AnyRequest, site: Site) -> Template:
    """An empty form."""
    tree = {"name": "", "trigger_type": "data_driven", "condition_function": "check_new_data_threshold",
            "parameters": {"min_games": 1000}, "enabled": True, "cooldown_hours": 6, "check_interval_s": 60,
            "schedule": None, "priority": 2}  # fmt: skip
    return _trigger_form(request, site, tree, {}, "New trigger")


@get("/triggers/{name:str}", sync_to_thread=True)
def trigger(request: AnyRequest, site: Site, name: str) -> Template:
    """One trigger."""
    with site.history.snapshot() as rows:
        known = definitions.trigger(rows, name)
    if known is None:
        raise missing(f"trigger {name}")
    tree = known.definition.model_dump(mode="json") if known.definition else {"name": name}
    return _trigger_form(request, site, tree, {}, name)


@post("/triggers")
async def save_trigger(request: AnyRequest, site: Site, data: Form) -> Redirect | Template:
    """As `save_schedule`."""
    tree, errors = _trigger_tree(data)
    made: TriggerCondition | None = None
    if not errors:
        made, errors = _validated(TriggerCondition, tree)
    if made is not None:
        try:
            await sync_to_thread(check_condition, made)
        except OuroborosError as error:
            errors = {"parameters" if "parameters" in error.where else "condition_function": str(error)}
    if errors or made is None:
        form = await sync_to_thread(_trigger_form, request, site, tree, errors, str(tree.get("name") or "New trigger"))
        form.status_code = 422
        return form
    return await put(request, site, Verb.SAVE_TRIGGER, TriggerDefinitionArguments(trigger=made), "/schedules")


def _schedule_form(
    request: AnyRequest, site: Site, tree: Mapping[str, Any], errors: Mapping[str, str], title: str
) -> Template:
    name, clock = str(tree.get("name") or ""), clockwork(request, site)
    with site.history.snapshot() as rows:
        known = definitions.schedule(rows, name) if name else None
        occurrences = waiting.occurrences(rows, name, OCCURRENCES) if known else []
        told = {each.id: waiting.decisions(rows, each.id) for each in occurrences}
        changes = definitions.edits(rows, "schedule", name, EDITS) if known else []
        versions = definitions.versions(rows, name, VERSIONS) if known else []
    rest = {key: value for key, value in tree.items() if key not in (*_SCHEDULE_FIELDS, "enabled")}
    return page(
        request, site, "schedule.html", title, "/schedules", clock=clock, tree=tree, errors=errors, known=known,
        rest=json.dumps(rest, indent=2, ensure_ascii=False) if "rest" not in errors else str(tree.get("rest_text", "")),
        preview=_preview(site, tree), occurrences=occurrences, told=told, changes=changes, versions=versions,
        overlaps=list(OverlapPolicy), catch_ups=list(CatchUpPolicy), phases=list(TrainingPhase),
        alive=site.daemon_lives(),
    )  # fmt: skip


def _trigger_form(
    request: AnyRequest, site: Site, tree: Mapping[str, Any], errors: Mapping[str, str], title: str
) -> Template:
    name = str(tree.get("name") or "")
    with site.history.snapshot() as rows:
        known = definitions.trigger(rows, name) if name else None
        changes = definitions.edits(rows, "trigger", name, EDITS) if known else []
        names = [row[0] for row in rows.execute("SELECT name FROM schedules WHERE removed_at IS NULL ORDER BY name")]
    parameters = tree.get("parameters", {})
    takes = {each: list(BUILT_INS[each].parameters.model_fields) for each in BUILT_INS}
    return page(
        request, site, "trigger.html", title, "/schedules", tree=tree, errors=errors, known=known, changes=changes,
        parameters=parameters if isinstance(parameters, str) else json.dumps(parameters, indent=2, ensure_ascii=False),
        names=names, takes=takes, types=list(TriggerType), alive=site.daemon_lives(),
    )  # fmt: skip


def _preview(site: Site, given: Mapping[str, Any]) -> Preview:
    cron, zone = str(given.get("cron_expression") or ""), str(given.get("timezone") or "UTC")
    name = str(given.get("name") or "")
    try:
        coming = fires.check(name, cron, zone, site.clock(), FIRES)
        words, warning = describe(cron, zone, name), seconds_first_warning(cron, zone, name)
    except ScheduleError as error:
        return Preview("", "", [], str(error))
    return Preview(words, warning, [f"{at.astimezone(zone_of(zone)):%a %d %b %Y %H:%M}" for at in coming], "")


def _schedule_tree(data: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The form's fields over everything that its last field, JSON, says."""
    tree, errors = _json_field(data, "rest")
    given = {field: data.get(field, "").strip() for field in _SCHEDULE_FIELDS if field in data}
    return tree | given | {"enabled": data.get("enabled") == "yes"}, errors


def _trigger_tree(data: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    parameters, errors = _json_field(data, "parameters")
    given: dict[str, Any] = {field: data.get(field, "").strip() for field in _TRIGGER_FIELDS if field in data}
    given["schedule"] = given.get("schedule") or None
    whole: Any = data.get("parameters", "") if errors else parameters
    return given | {"enabled": data.get("enabled") == "yes", "parameters": whole}, errors


def _json_field(data: Mapping[str, str], field: str) -> tuple[dict[str, Any], dict[str, str]]:
    text = data.get(field, "").strip() or "{}"
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {"rest_text": text}, {field: f"no JSON: {error}"}
    return (tree, {}) if isinstance(tree, dict) else ({"rest_text": text}, {field: "no JSON object, { ... }"})


def _validated(kind: type[_Model], tree: Mapping[str, Any]) -> tuple[_Model | None, dict[str, str]]:
    """The model, or by form field what is wrong with it; fields that have no input of their own stand under `rest`."""
    inputs = {*_SCHEDULE_FIELDS, *_TRIGGER_FIELDS, "parameters"}
    try:
        return kind.model_validate(dict(tree)), {}
    except ValidationError as error:
        found: dict[str, str] = {}
        for item in error.errors():
            place = ".".join(map(str, item["loc"]))
            field = place if place in inputs else "rest"
            words = item["msg"] if place == field else f"{place}: {item['msg']}"
            found[field] = f"{found[field]}; {words}" if field in found else words
        return None, found
