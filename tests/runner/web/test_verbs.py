"""Each verb of the command line has its place in the REST interface, or a reason why it has none."""

import re

from served_site import Served

from tests.runner.test_terminal import ALL

OVER_REST = {
    "status": "GET /api/v1/status", "top": "GET /api/v1/status", "history": "GET /api/v1/executions",
    "next": "GET /api/v1/next", "explain": "GET /api/v1/explain", "why": "GET /api/v1/why/{name}",
    "pause": "POST /api/v1/pause", "resume": "POST /api/v1/resume", "stop": "POST /api/v1/stop",
    "cancel": "POST /api/v1/executions/{run_id}/cancel", "trigger": "POST /api/v1/schedules/{name}/run",
    "schedules": "GET /api/v1/schedules", "schedules list": "GET /api/v1/schedules",
    "schedules show": "GET /api/v1/schedules/{name}", "schedules add": "PUT /api/v1/schedules/{name}",
    "schedules pause": "POST /api/v1/schedules/{name}/pause",
    "schedules unpause": "POST /api/v1/schedules/{name}/unpause",
    "schedules remove": "DELETE /api/v1/schedules/{name}",
    "triggers": "GET /api/v1/triggers", "triggers list": "GET /api/v1/triggers",
    "triggers show": "GET /api/v1/triggers/{name}", "triggers add": "PUT /api/v1/triggers/{name}",
    "triggers pause": "POST /api/v1/triggers/{name}/pause",
    "triggers unpause": "POST /api/v1/triggers/{name}/unpause", "triggers remove": "DELETE /api/v1/triggers/{name}",
    "notify waiting": "GET /api/v1/mail", "notify retry": "POST /api/v1/mail/retry",
    "doctor": "GET /api/v1/doctor", "config": "GET /api/v1/settings",
    "tune report": "GET /api/v1/tuner/runs/{run}/report", "tournament": "GET /api/v1/tournaments/{tournament}",
    "models": "GET /api/v1/models", "models list": "GET /api/v1/models", "models show": "GET /api/v1/models/{model_id}",
    "arena standing": "GET /api/v1/arena/ratings", "game show": "GET /api/v1/games/{game_id}",
    "game list": "GET /api/v1/training/games", "tune replay": "GET /api/v1/games/again",
}  # fmt: skip
TERMINAL_ONLY = {
    "what begins or serves the program itself": {
        "init", "up", "dashboard", "completion", "db restore", "db export", "db backup", "db prune", "db check",
        "db move", "cluster start", "cluster join", "cluster stop", "cluster drain", "cluster status",
    },
    "secrets, which are made where nobody looks on": {
        "dashboard token add", "dashboard token list", "dashboard token revoke", "arena login",
    },
    "work in the foreground, whose output is the point; the daemon does the same by itself": {
        "tune", "tune screen", "tune verify", "train", "play", "serve", "shadow-report", "import-games", "notify test",
        "arena sync", "arena challenge", "arena register", "arena why", "arena snakes",
        "leaf-eval play", "leaf-eval fit", "leaf-eval measure",
    },
    "decisions that are the work's own, and change files that a person owns": {
        "tune apply", "tune revert", "tune update-snake", "models promote", "models rollback", "models retire",
        "models verify",
    },
}  # fmt: skip
GROUPS = {"", "db", "notify", "arena", "dashboard token", "game", "cluster", "leaf-eval"}


def test_every_verb_is_there_or_said_to_be_the_terminals(reading: Served) -> None:
    document = reading.get("/api/v1/openapi.json").json
    offered = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    verbs = {" ".join(words) for words in ALL} - GROUPS
    named = set(OVER_REST) | set().union(*TERMINAL_ONLY.values())
    assert set(OVER_REST.values()) <= offered
    assert named == verbs


def test_the_document_says_what_fields_mean(reading: Served) -> None:
    fields = reading.get("/api/v1/openapi.json").json["components"]["schemas"]["ResourceUsage"]["properties"]
    assert fields["mean_cpu_percent"]["description"] == "100 is one core."


def test_the_page_of_the_interface_needs_nothing_from_elsewhere(reading: Served) -> None:
    page = reading.get("/api/docs", accept="text/html").body.decode()
    for place in OVER_REST.values():
        assert f"<code>{place}</code>" in page
    assert re.findall(r"""(?:src|href)=["'](?!/|#)[^"']*""", page) == []
