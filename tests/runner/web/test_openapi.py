"""The document says what the interface does: made-up requests of every operation, and each answer held against it."""

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from served_site import daemon_of, served, wait_for

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 15
"""Of each operation: enough to meet odd numbers, odd text and what is missing."""
NOT_TRIED = {"POST /api/v1/stop", "GET /api/v1/doctor", "GET /api/v1/training/games"}
"""One ends the daemon, the others start processes that take long; each has a test of its own."""


def test_made_up_requests_are_answered_as_the_document_says(home: Path) -> None:
    with served(home) as site, daemon_of(site.settings):
        wait_for(lambda: site.get("/readyz").status == 200)
        document = site.get("/api/v1/openapi.json").json
        assert document["openapi"].startswith("3.1")
        schema = schemathesis.openapi.from_dict(document)
        schema.config.base_url = f"http://127.0.0.1:{site.port}"
        tried = [_try(result.ok()) for result in schema.get_all_operations()]
    assert len(tried) > 30


def _try(operation: Any) -> str:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(checks=CHECKS)

    if operation.label not in NOT_TRIED:
        ask()
    return str(operation.label)
