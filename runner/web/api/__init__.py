"""`/api/v1`: every verb of the command line for programs, with OpenAPI 3.1 at `/api/v1/openapi.json`."""

from litestar import Router

from runner.web.api import looking, steering
from runner.web.api.machine import MACHINE_ROUTES
from runner.web.api.schedules import SCHEDULE_ROUTES
from runner.web.api.strength import STRENGTH_ROUTES
from runner.web.api.triggers import TRIGGER_ROUTES

api = Router(
    path="/api/v1",
    route_handlers=[
        looking.status,
        looking.executions,
        looking.execution,
        looking.execution_log,
        looking.queue,
        looking.next_fires,
        looking.explain,
        looking.why,
        looking.mail,
        steering.pause,
        steering.resume,
        steering.stop,
        steering.cancel_run,
        steering.retry_mail,
        steering.list_commands,
        steering.command,
        *SCHEDULE_ROUTES,
        *TRIGGER_ROUTES,
        *STRENGTH_ROUTES,
        *MACHINE_ROUTES,
    ],
)
"""All of it; `runner.web.app` hangs it in."""
