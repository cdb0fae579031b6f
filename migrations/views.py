"""What users read: the two views that show the history whole, by dialect. Revision 0004 made them; a later revision
makes its own.

Times that only the program compares are numbers in the tables and text in the views, as they always were; JSON values
are put together from the base and what a row has of its own. A value that is no JSON (edited by hand) is shown as it
stands, so that one bad row does not end a query of all.
"""

from runner.store.columns import STATE_BASE, USAGE_BASE, short_names


def _sqlite_time(column: str) -> str:
    seconds, rest = f"{column} / 1000000", f"{column} % 1000000"
    return f"strftime('%Y-%m-%dT%H:%M:%S', {seconds}, 'unixepoch') || printf('.%06dZ', {rest})"


def _postgresql_time(column: str) -> str:
    instant = f"to_timestamp({column} / 1000000.0) AT TIME ZONE 'UTC'"
    return f"""to_char({instant}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


def _named(base: str, column: str) -> str:
    """The fields' names for their letters. A letter between quotes with a colon behind is never part of a value: there
    the quotes have backslashes."""
    for name, letter in short_names(base).items():
        column = f"""replace({column}, '"{letter}":', '"{name}":')"""
    return column


def _sqlite_whole(base: str, column: str) -> str:
    return f"CASE WHEN json_valid({column}) THEN json_patch('{base}', {_named(base, column)}) ELSE {column} END"


def _postgresql_whole(base: str, column: str) -> str:
    return f"whole_json('{base}', {_named(base, column)})"


POSTGRESQL_FUNCTIONS = (
    """
    CREATE FUNCTION whole_json(base text, changes text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
    DECLARE told jsonb;
    BEGIN
        told := changes::jsonb;
        RETURN CASE jsonb_typeof(told) WHEN 'object' THEN (base::jsonb || told)::text ELSE changes END;
    EXCEPTION WHEN invalid_text_representation OR untranslatable_character THEN
        RETURN changes;
    END $$
    """,
    """
    CREATE FUNCTION json_extract(document text, path text) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT
    RETURN nullif(jsonb_path_query_first(document::jsonb, path::jsonpath), 'null'::jsonb)
    """,
)
"""What the views call there; and SQLite's name for a look into JSON, so that the operations guide's query of the
history runs unchanged. It returns `jsonb`: a number is a number to Python, and `(...)::float` one to SQL."""


_OCCURRENCES = """
    SELECT o.id AS id, o.schedule_name AS schedule_name, o.trigger_type AS trigger_type,
           o.trigger_name AS trigger_name, o.scheduled_for AS scheduled_for, o.state AS state, o.reason AS reason,
           o.coalesced_into AS coalesced_into, o.priority AS priority, o.queue_rank AS queue_rank,
           {not_before} AS not_before, {start_deadline} AS start_deadline, o.attempt AS attempt,
           d.definition_json AS definition_json, o.note AS note, {created_at} AS created_at,
           {finished_at} AS finished_at
    FROM occurrence_rows AS o LEFT JOIN definitions AS d ON d.id = o.definition_id
"""
_EXECUTIONS = """
    SELECT id, occurrence_id, schedule_name, trigger_type, trigger_name, {scheduled_for} AS scheduled_for, started_at,
           completed_at, success, status, error_message, failure_class, {state} AS pipeline_state_json,
           {usage} AS resource_usage_json, worker, worker_reason, attempt, seed, run_dir,
           {run_dir_removed_at} AS run_dir_removed_at, identity_json, {progress_at} AS progress_at, games_before
    FROM execution_rows
"""
_STATE, _USAGE = "pipeline_state_changes_json", "resource_usage_changes_json"
_TIMES = {"sqlite": _sqlite_time, "postgresql": _postgresql_time}
_WHOLES = {"sqlite": _sqlite_whole, "postgresql": _postgresql_whole}

OCCURRENCES = {
    dialect: _OCCURRENCES.format(
        not_before=time("o.not_before"),
        start_deadline=time("o.start_deadline"),
        created_at=time("o.created_at"),
        finished_at=time("o.finished_at"),
    )
    for dialect, time in _TIMES.items()
}
"""Dialect -> SELECT."""
EXECUTIONS = {
    dialect: _EXECUTIONS.format(
        scheduled_for=time("scheduled_for"),
        run_dir_removed_at=time("run_dir_removed_at"),
        progress_at=time("progress_at"),
        state=_WHOLES[dialect](STATE_BASE, _STATE),
        usage=_WHOLES[dialect](USAGE_BASE, _USAGE),
    )
    for dialect, time in _TIMES.items()
}
"""Dialect -> SELECT."""
