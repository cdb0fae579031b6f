"""Who changed a schedule or trigger, and what its runs were recorded under."""

from datetime import datetime
from itertools import islice

import orjson

from runner.web.read.news import AskedCommand, asked_of
from runner.web.read.rows import Rows
from schemas.times import from_text

EDITS_LOOKED_AT = 2_000
"""Wishes, the newest, among which those about one name are sought."""
VERSIONS_LOOKED_AT = 5_000
"""Due times, the newest, whose definitions are told apart."""


def edits(rows: Rows, kind: str, name: str, limit: int) -> list[AskedCommand]:
    """What was asked about a schedule or trigger, the newest first, among the last EDITS_LOOKED_AT wishes.

    Args:
        kind: `schedule` or `trigger`.
    """
    found = rows.execute(
        "SELECT * FROM (SELECT * FROM commands ORDER BY id DESC LIMIT ?) AS newest WHERE verb LIKE ? ESCAPE '!' "
        "ORDER BY id DESC",
        (EDITS_LOOKED_AT, f"%!_{kind}"),
    )
    return list(islice((asked_of(row) for row in found if _is_about(row["arguments_json"], kind, name)), limit))


def versions(rows: Rows, name: str, limit: int) -> list[tuple[datetime, str]]:
    """Definitions that a schedule's runs were recorded under, the newest first, with the first due time of each."""
    found = rows.execute(
        "SELECT min(scheduled_for) AS first, definition_json FROM "
        "(SELECT scheduled_for, definition_id FROM occurrence_rows WHERE schedule_name = ? ORDER BY scheduled_for DESC "
        "LIMIT ?) AS o JOIN definitions AS d ON d.id = o.definition_id GROUP BY d.id, d.definition_json "
        "ORDER BY first DESC LIMIT ?",
        (name, VERSIONS_LOOKED_AT, limit),
    )
    return [(from_text(row[0]), row[1]) for row in found]


def _is_about(arguments_json: str, kind: str, name: str) -> bool:
    """A definition is given whole, under its kind; any other wish names it."""
    try:
        tree = orjson.loads(arguments_json)
    except ValueError:
        return False
    whole = tree.get(kind) if isinstance(tree, dict) else None
    return isinstance(tree, dict) and name in (tree.get("name"), whole.get("name") if isinstance(whole, dict) else None)
