"""Who changed a schedule or trigger, and what its runs were recorded under."""

import sqlite3
from datetime import datetime

from runner.web.read.news import Asked, asked_of
from schemas.times import from_text

EDITS_LOOKED_AT = 2_000
"""Wishes, the newest, among which those about one name are sought."""
VERSIONS_LOOKED_AT = 5_000
"""Due times, the newest, whose definitions are told apart."""


def edits(rows: sqlite3.Connection, kind: str, name: str, limit: int) -> list[Asked]:
    """What was asked about a schedule or trigger, the newest first, among the last EDITS_LOOKED_AT wishes.

    Args:
        kind: `schedule` or `trigger`.
    """
    found = rows.execute(
        "SELECT * FROM (SELECT * FROM commands ORDER BY id DESC LIMIT ?) WHERE verb LIKE '%\\_' || ? ESCAPE '\\' AND "
        "json_valid(arguments_json) AND coalesce(json_extract(arguments_json, '$.name'), "
        "json_extract(arguments_json, '$.' || ? || '.name')) = ? ORDER BY id DESC LIMIT ?",
        (EDITS_LOOKED_AT, kind, kind, name, limit),
    )
    return [asked_of(row) for row in found]


def versions(rows: sqlite3.Connection, name: str, limit: int) -> list[tuple[datetime, str]]:
    """Definitions that a schedule's runs were recorded under, the newest first, with the first due time of each."""
    found = rows.execute(
        "SELECT min(scheduled_for) AS first, definition_json FROM "
        "(SELECT scheduled_for, definition_id FROM occurrence_rows WHERE schedule_name = ? ORDER BY scheduled_for DESC "
        "LIMIT ?) AS o JOIN definitions AS d ON d.id = o.definition_id GROUP BY definition_id ORDER BY first DESC "
        "LIMIT ?",
        (name, VERSIONS_LOOKED_AT, limit),
    )
    return [(from_text(row[0]), row[1]) for row in found]
