"""Decisions, commands, outbox, trigger files, games, triggers and the daemon's own row."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from runner.store import commands, decisions, games, heartbeat, outbox, queue, trigger_files, triggers
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.outbox import OutboxCounts
from runner.store.states import OutboxState, TriggerFileState
from schemas.automation import RunnerStatus, TrainingSchedule, TriggerCondition, TriggerType
from schemas.errors import ScheduleError
from schemas.execution import Decision, DecisionKind
from schemas.message import Message, MessageKind

MINUTE = timedelta(minutes=1)


def occurrence(session: Session, now: datetime, name: str = "nightly") -> int:
    schedule = TrainingSchedule(name=name, cron_expression="0 2 * * *")
    return queue.record(session, NewOccurrence(schedule, now), now, 100).occurrence_id


def wait(code: str, reason: str) -> Decision:
    return Decision(kind=DecisionKind.WAIT, code=code, reason=reason)


def test_repeated_decisions_are_folded(store: Store, now: datetime) -> None:
    with store.write() as session:
        first, second = occurrence(session, now), occurrence(session, now, "weekly")
        for step in range(3):
            decisions.record(session, first, "nightly", wait("memory", f"{step} GB free"), now + step * MINUTE)
        decisions.record(session, first, "nightly", wait("disk", "full"), now + 5 * MINUTE)
        launch = Decision(kind=DecisionKind.LAUNCH, code="memory", reason="free again")
        decisions.record(session, first, "nightly", launch, now + 6 * MINUTE)
        decisions.record(session, second, "weekly", wait("memory", "0 GB free"), now)
    with store.read() as session:
        found = decisions.of_occurrence(session, first)
        assert [(row.decision.kind, row.decision.code, row.count) for row in found] == [
            (DecisionKind.WAIT, "memory", 3),
            (DecisionKind.WAIT, "disk", 1),
            (DecisionKind.LAUNCH, "memory", 1),
        ]
        assert found[0].decision.reason == "2 GB free"
        assert (found[0].first_at, found[0].last_at) == (now, now + 2 * MINUTE)
        assert [row.decision.code for row in decisions.of_schedule(session, "nightly", 2)] == ["memory", "disk"]
        assert [row.count for row in decisions.of_schedule(session, "weekly", 2)] == [1]


def test_commands_are_answered_once_in_their_order(store: Store, now: datetime) -> None:
    with store.write() as session:
        one = commands.enqueue(session, "pause", None, "ann", now)
        two = commands.enqueue(session, "trigger", wait("x", "y"), "bob", now)
        assert [command.command_id for command in commands.pending(session, 5)] == [one, two]
        assert Decision.model_validate_json(commands.pending(session, 5)[1].arguments_json) == wait("x", "y")
        assert commands.answer(session, one, True, "paused", now + MINUTE)
        assert not commands.answer(session, one, False, "again", now + MINUTE)
    with store.read() as session:
        assert [command.verb for command in commands.pending(session, 5)] == ["trigger"]
        done = commands.get(session, one)
        assert done is not None
        assert (done.ok, done.answer, done.handled_at) == (True, "paused", now + MINUTE)
        assert commands.get(session, 99) is None


def message(key: str, now: datetime) -> Message:
    return Message(
        kind=MessageKind.FAILURE,
        dedup_key=key,
        subject="s",
        headline="h",
        created_at=now,
        recipients=["ann@example.org"],
    )


def test_a_message_is_put_once_and_taken_until_it_is_sent(store: Store, now: datetime) -> None:
    with store.write() as session:
        assert outbox.put(session, message("a", now))
        assert not outbox.put(session, message("a", now))
        assert outbox.put(session, message("later", now), not_before=now + MINUTE)
        assert outbox.next_due(session) == now
    with store.write() as session:
        [taken] = outbox.take_due(session, now, 10)
        assert taken.message == message("a", now)
        assert outbox.take_due(session, now, 10) == [taken]
        assert outbox.mark_retry(session, taken.outbox_id, "greylisted", now + 2 * MINUTE)
        assert outbox.take_due(session, now, 10) == []
        later, again = outbox.take_due(session, now + 2 * MINUTE, 10)
        assert (later.message.dedup_key, again.attempts, again.last_error) == ("later", 1, "greylisted")
        assert outbox.mark_sent(session, again.outbox_id, "<a@host>", now + 2 * MINUTE)
        assert not outbox.mark_sent(session, again.outbox_id, "<a@host>", now + 3 * MINUTE)
        assert outbox.mark_failed(session, later.outbox_id, "no such user")
        assert not outbox.put(session, message("a", now)), "a sent message is not sent again"
        assert outbox.counts(session) == OutboxCounts(sent=1, failed=1)
        assert outbox.sent_since(session, now) == 1
        assert outbox.sent_since(session, now + 2 * MINUTE) == 0
        assert outbox.next_due(session) is None


def test_messages_over_the_limit_are_gathered_and_none_is_lost(store: Store, now: datetime) -> None:
    with store.write() as session:
        for key in ("a", "b"):
            outbox.put(session, message(key, now))
        outbox.put(session, message("c", now), state=OutboxState.DIGEST)
        ids = [record.outbox_id for record in outbox.take_due(session, now, 10)]
        assert outbox.set_aside(session, ids) == 2
        gathered = outbox.waiting_for_digest(session, 10)
        assert [record.message.dedup_key for record in gathered] == ["a", "b", "c"]
        assert outbox.mark_gathered(session, [record.outbox_id for record in gathered], "digest-1", now) == 3
        assert outbox.waiting_for_digest(session, 10) == []
        assert outbox.counts(session) == OutboxCounts(sent=3)
        assert outbox.sent_since(session, now - MINUTE) == 0


def test_a_trigger_file_goes_one_way(store: Store, now: datetime) -> None:
    with store.write() as session:
        path = Path("/claimed/1")
        file_id = trigger_files.claim(session, "trigger_training.txt", path, "00", now)
        assert trigger_files.claim(session, "trigger_training.txt", path, "00", now) == file_id
        bad = trigger_files.claim(session, "x.json", Path("/claimed/2"), "11", now)
        occurrence_id = occurrence(session, now)
        assert not trigger_files.mark_archived(session, file_id, "too early")
        assert trigger_files.mark_queued(session, file_id, occurrence_id)
        assert not trigger_files.mark_queued(session, file_id, occurrence_id)
        assert not trigger_files.mark_rejected(session, file_id, "too late")
        assert trigger_files.mark_rejected(session, bad, "line 1: no JSON")
        assert [file.file_id for file in trigger_files.in_state(session, TriggerFileState.QUEUED)] == [file_id]
        assert trigger_files.in_state(session, TriggerFileState.CLAIMED) == []
        (found,) = trigger_files.in_state(session, TriggerFileState.QUEUED)
        assert (found.occurrence_id, found.claimed_path) == (occurrence_id, path)
        assert trigger_files.mark_archived(session, file_id, "succeeded")
        ends = [
            (file.file_id, file.reason) for state in TriggerFileState for file in trigger_files.in_state(session, state)
        ]
        assert ends == [(bad, "line 1: no JSON"), (file_id, "succeeded")]


def test_games_only_ever_grow(store: Store, now: datetime) -> None:
    path = Path("/games/a.jsonl")
    with store.write() as session:
        games.advance(session, path, 1, 100, 5, now)
        games.advance(session, path, 1, 100, 0, now + MINUTE)
        assert games.counted(session)[path].last_grown_at == now
        games.advance(session, path, 2, 40, 2, now + 2 * MINUTE)
        games.advance(session, Path("/games/b.jsonl"), 3, 10, 1, now + MINUTE)
        found = games.counted(session)[path]
        assert (found.inode, found.offset_bytes, found.games) == (2, 40, 7)
        assert games.total(session) == 8


def test_a_trigger_keeps_its_cursor_and_its_pause(store: Store, now: datetime) -> None:
    condition = TriggerCondition(
        name="data", trigger_type=TriggerType.DATA_DRIVEN, condition_function="f", check_interval_s=60
    )
    with store.write() as session:
        triggers.save(session, condition, now, cursor_json='{"games": 100}')
        triggers.checked(session, "data", "12 of 5000 new games", now)
        triggers.checked(session, "data", "5001 new games", now + MINUTE, cursor_json='{"games": 5101}', fired=True)
        triggers.save(session, condition.model_copy(update={"priority": 9}), now + 2 * MINUTE)
        kept = triggers.get(session, "data")
        assert kept is not None
        assert (kept.cursor_json, kept.last_triggered, kept.last_verdict) == (
            '{"games": 5101}',
            now + MINUTE,
            "5001 new games",
        )
        assert (kept.condition.last_triggered, kept.condition.priority) == (now + MINUTE, 9)
        triggers.pause(session, "data", "moving house", now)
        assert [record.paused_note for record in triggers.list_active(session)] == ["moving house"]
        triggers.unpause(session, "data", now)
        assert [record.paused_note for record in triggers.list_active(session)] == [None]
        assert triggers.remove(session, "data", now)
        assert not triggers.remove(session, "data", now)
        assert triggers.list_active(session) == []
        with pytest.raises(ScheduleError, match="no such trigger"):
            triggers.pause(session, "data", "", now)


def test_the_daemons_row_tells_how_the_last_one_ended(store: Store, now: datetime) -> None:
    def start(session: Session, pid: int, at: datetime) -> heartbeat.DaemonRecord | None:
        return heartbeat.started(session, pid=pid, host="h", boot_id="b", version="1", now=at)

    with store.write() as session:
        assert heartbeat.get(session) is None
        assert start(session, 1, now) is None
        heartbeat.beat(session, RunnerStatus.EXECUTING, now + MINUTE)
        heartbeat.set_paused(session, True, "thunderstorm")
        heartbeat.loop_beat(session, "schedules", now)
        assert heartbeat.loop_restarted(session, "schedules", "hung", now + MINUTE) == 1
        assert heartbeat.loop_restarted(session, "schedules", "hung", now + MINUTE) == 2
        assert [(loop.name, loop.restarts, loop.last_error) for loop in heartbeat.loops(session)] == [
            ("schedules", 2, "hung")
        ]
    with store.write() as session:
        before = start(session, 2, now + 5 * MINUTE)
        assert before is not None
        assert (before.pid, before.stopped_cleanly, before.status) == (1, False, RunnerStatus.EXECUTING)
        assert heartbeat.loops(session) == []
        current = heartbeat.get(session)
        assert current is not None
        assert (current.pid, current.paused, current.paused_note) == (2, True, "thunderstorm")
        heartbeat.stopped(session, now + 6 * MINUTE)
        heartbeat.set_paused(session, False, "")
    with store.write() as session:
        before = start(session, 3, now + 7 * MINUTE)
        assert before is not None
        assert (before.stopped_cleanly, before.paused, before.paused_note) == (True, False, "")
