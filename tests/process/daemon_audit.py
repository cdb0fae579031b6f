"""Count what a state folder holds after lives that were killed: nothing lost, nothing twice, nothing left running."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from daemon_world import settings_for

from runner.schedule import fires
from runner.store.engine import Store
from schemas.times import to_text


def audit(
    home: Path, crons: dict[str, str], start: datetime, end: datetime, others: Sequence[Path] = ()
) -> dict[str, int]:
    """Check every promise; returns what was counted, for the reader.

    Args:
        others: state folders of further daemons of the same database.

    Raises:
        AssertionError: something was lost, doubled, or left unfinished.
    """
    occurrences, executions, outbox = _asked(
        home,
        "SELECT id, schedule_name, scheduled_for, state, trigger_type FROM occurrences",
        "SELECT id, occurrence_id, status, completed_at, success FROM executions",
        "SELECT execution_id, kind, state FROM outbox",
    )
    _every_fire_has_one_row(occurrences, crons, start, end)
    assert {row[3] for row in occurrences} <= {"succeeded", "coalesced", "failed", "missed", "skipped"}, occurrences
    assert [row for row in executions if row[3] is None] == []
    successes = Counter(row[1] for row in executions if row[4])
    for number, _, _, state, _ in occurrences:
        assert successes[number] == (1 if state == "succeeded" else 0), (number, state)
    ledger = _words([home, *others], "ledger.txt")
    worked = Counter(int(line[0]) for line in ledger)
    assert max(worked.values()) == 1, "one execution worked twice"
    known = {row[0] for row in executions}
    assert set(worked) <= known, "a worker worked for an execution that the history does not know"
    assert {row[0] for row in executions if row[4]} <= set(worked), "a success without any work"
    _every_end_was_told_once(executions, outbox)
    told = Counter(words[0] for words in _words([home, *others], "pigeon.txt"))
    assert set(told) == {str(number) for number in known}
    return {
        "occurrences": len(occurrences),
        "executions": len(executions),
        "messages": len(outbox),
        "told again after a kill": sum(count - 1 for count in told.values()),
    }


def audit_drops(home: Path, dropped: int) -> dict[str, int]:
    """Every dropped file has its row, its run and its place in the archive, once."""
    rows, ((asked,),) = _asked(
        home,
        "SELECT drops.state, occurrences.trigger_type, occurrences.state"
        " FROM drops LEFT JOIN occurrences ON occurrences.id = drops.occurrence_id",
        "SELECT COUNT(*) FROM occurrences WHERE trigger_type = 'manual'",
    )
    assert rows == [("archived", "manual", "succeeded")] * dropped, rows
    assert asked == dropped
    assert len(list((home / "triggers" / "archived").glob("*.outcome.txt"))) == dropped
    assert not list((home / "triggers").glob("*.json"))
    return {"drops": dropped}


def _asked(home: Path, *queries: str) -> list[list[tuple[Any, ...]]]:
    store = Store(settings_for(home).database_url, 30)
    try:
        with store.read() as session:
            return [[tuple(row) for row in session.connection().exec_driver_sql(query)] for query in queries]
    finally:
        store.close()


def _words(homes: Sequence[Path], name: str) -> list[list[str]]:
    files = [home / name for home in homes if (home / name).exists()]
    return [line.split() for file in files for line in file.read_text().splitlines()]


def _every_fire_has_one_row(occurrences, crons: dict[str, str], start: datetime, end: datetime) -> None:
    rows = Counter((name, when) for _, name, when, _, kind in occurrences if kind == "scheduled")
    for name, cron in crons.items():
        due = fires.upcoming(name, cron, "UTC", start, 100_000 if end - start > timedelta(days=300) else 5_000)
        expected = {(name, to_text(instant)) for instant in due if instant <= end}
        found = {key for key in rows if key[0] == name}
        assert found == expected, (sorted(found - expected), sorted(expected - found))
    assert max(rows.values()) == 1


def _every_end_was_told_once(executions, outbox) -> None:
    told = Counter(execution_id for execution_id, kind, _ in outbox if kind in ("completion", "failure"))
    for number, *_ in executions:
        assert told[number] == 1, f"execution {number} was told of {told[number]} times"
    assert {state for _, _, state in outbox} == {"sent"}
