"""The guards' figures, `doctor`, and the settings in force."""

import json
from dataclasses import dataclass
from typing import Any

from litestar import get

from runner.guards.gauges import Gauge
from runner.web.api.answers import READS
from runner.web.child import run_module
from runner.web.problems import ProblemError
from runner.web.read import definitions
from runner.web.site import Site
from schemas.machine import ResourceRequirements
from schemas.outside_text import line

_DOCTOR_LIMIT_S = 300.0
_HIDDEN = "(set)"


@dataclass(frozen=True, slots=True)
class ScheduleGuards:
    """The machine against what a schedule asks for."""

    schedule: str
    gauges: list[Gauge]


@dataclass(frozen=True, slots=True)
class Check:
    """One check of `ouroboros doctor`."""

    name: str
    ok: bool
    words: str


@get("/guards", responses=READS, sync_to_thread=True, summary="The machine against the limits that hold runs back")
def guards(site: Site) -> list[ScheduleGuards]:
    """For each of the first schedules; for the defaults, where there is none."""
    with site.history.snapshot() as rows:
        known = [item for item in definitions.schedules(rows, 20) if item.definition is not None]
    needs = {item.name: item.definition.resource_requirements for item in known if item.definition is not None}
    now = site.clock()
    wanted = needs or {"": ResourceRequirements()}
    return [ScheduleGuards(name, site.machine.gauges(each, now)) for name, each in wanted.items()]


@get("/doctor", responses=READS, summary="Is everything there that the daemon will need?")
async def doctor(site: Site) -> list[Check]:
    """As `ouroboros doctor`, in a process of its own: it may take a minute."""
    _, told, problem = await run_module(site, "runner", "doctor", "--format", "json", limit_s=_DOCTOR_LIMIT_S)
    try:
        return [Check(each["check"], each["ok"], each["words"]) for each in json.loads(told)]
    except (ValueError, KeyError, TypeError) as error:
        raise ProblemError(503, f"the checks gave no answer: {line(problem)}") from error


@get("/settings", responses=READS, sync_to_thread=True, summary="The settings in force")
def settings(site: Site) -> dict[str, Any]:
    """As `ouroboros config`; the address that is told of life, which lets anybody who knows it do so, is left out."""
    tree: dict[str, Any] = site.settings.model_dump(mode="json")
    if tree["notifications"]["heartbeat_url"]:
        tree["notifications"]["heartbeat_url"] = _HIDDEN
    return tree


MACHINE_ROUTES = [guards, doctor, settings]
"""In the order in which the page of the API shows them."""
