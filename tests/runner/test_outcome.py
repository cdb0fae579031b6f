"""What becomes of an execution: pure, so tables and properties."""

import signal
from datetime import UTC, datetime, timedelta

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.outcome import GiveUp, Retry, RunFacts, decide, retry_delay_s
from runner.worker.observation import Observation, OomKills, Phase
from runner.worker.run_folder import WorkerExit
from runner.worker.stopping import StopReason
from schemas.automation import TrainingSchedule
from schemas.execution import FailureClass, Outcome, ResourceUsage, RunFailure, RunResult
from schemas.model import PipelineState, PipelineStatus

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DUE = NOW - timedelta(hours=2)
STATE = PipelineState(best_win_rate=0.6, best_win_rate_games=300)


def schedule(**changes):
    return TrainingSchedule(name="nightly", cron_expression="0 2 * * *", **changes)


def facts(**changes):
    return RunFacts(**{"schedule": schedule(), "scheduled_for": DUE, "attempt": 1, **changes})


def result(outcome, kind=None, message="told by the worker"):
    failure = None if kind is None else RunFailure(failure_class=kind, message=message, traceback="trace")
    return RunResult(outcome=outcome, state=STATE, failure=failure)


def exited(code=None, signal_number=None, **changes):
    return Observation(phase=Phase.EXITED, exit_code=code, signal_number=signal_number, **changes)


GONE = Observation(phase=Phase.GONE)
KILLED = exited(signal_number=signal.SIGKILL)
SUCCESS = exited(0, result=result(Outcome.SUCCEEDED))
SAVED = exited(1, result=result(Outcome.CANCELLED))
BROKE = exited(1, result=result(Outcome.FAILED, FailureClass.ERROR))
BAD = exited(1, result=result(Outcome.FAILED, FailureClass.BAD_INPUT))
NEVER_AGAIN = schedule(retry_on_failure=False)
SHUTDOWN, CANCEL, MEMORY = StopReason.SHUTDOWN, StopReason.CANCEL, StopReason.MEMORY

CASES = {
    # what happened: (facts, observation, outcome, failure class, tried again?, number of the next execution)
    "success": (facts(), SUCCESS, "succeeded", None, None),
    "success although told to stop": (facts(stop_reason=SHUTDOWN), SUCCESS, "succeeded", None, None),
    "success of an adopted worker": (facts(), Observation(Phase.GONE, result=SUCCESS.result), "succeeded", None, None),
    "success, killed while it left": (facts(), exited(None, 9, result=SUCCESS.result), "succeeded", None, None),
    "error": (facts(), BROKE, "failed", "error", 2),
    "error, one retry is left": (facts(attempt=2, schedule=schedule(max_retries=2)), BROKE, "failed", "error", 3),
    "error, no retry left": (facts(attempt=2, schedule=schedule(max_retries=1)), BROKE, "failed", "error", "give up"),
    "error at the last attempt": (facts(attempt=3), BROKE, "failed", "error", "give up"),
    "error, no retries": (facts(schedule=schedule(max_retries=0)), BROKE, "failed", "error", "give up"),
    "error, retries off": (facts(schedule=NEVER_AGAIN), BROKE, "failed", "error", "give up"),
    "bad input": (facts(), BAD, "failed", "bad_input", "give up"),
    "resource": (facts(), exited(1, result=result(Outcome.FAILED, FailureClass.RESOURCE)), "failed", "resource", 2),
    "failed without a reason": (facts(), exited(1, result=result(Outcome.FAILED)), "failed", "error", 2),
    "timed out by itself": (facts(), exited(1, result=result(Outcome.TIMED_OUT)), "timed_out", "timeout", 2),
    "calls itself lost": (facts(), exited(1, result=result(Outcome.LOST)), "failed", "error", 2),
    "cancelled, work saved": (facts(stop_reason=CANCEL), SAVED, "cancelled", None, "give up"),
    "cancelled, killed": (facts(stop_reason=CANCEL), KILLED, "cancelled", None, "give up"),
    "cancelled, broke over it": (facts(stop_reason=CANCEL), BROKE, "cancelled", "error", "give up"),
    "cancel found in folder": (facts(), Observation(Phase.GONE, stop_reason=CANCEL), "cancelled", None, "give up"),
    "shutdown, work saved": (facts(stop_reason=SHUTDOWN), SAVED, "cancelled", None, 1),
    "shutdown, killed": (facts(attempt=3, stop_reason=SHUTDOWN), KILLED, "cancelled", None, 3),
    "shutdown by an earlier daemon": (facts(), Observation(Phase.GONE, stop_reason=SHUTDOWN), "cancelled", None, 1),
    "shutdown, no retries": (facts(schedule=NEVER_AGAIN, stop_reason=SHUTDOWN), SAVED, "cancelled", None, 1),
    "broke during a shutdown": (facts(stop_reason=SHUTDOWN), BROKE, "failed", "error", 2),
    "a TERM from outside": (facts(), SAVED, "cancelled", None, 2),
    "TERMs from outside for ever": (facts(attempt=3), SAVED, "cancelled", None, "give up"),
    "too long, work saved": (facts(stop_reason=StopReason.DURATION), SAVED, "timed_out", "timeout", 2),
    "too long, killed": (facts(stop_reason=StopReason.DURATION), KILLED, "timed_out", "timeout", 2),
    "too long, broke over it": (facts(stop_reason=StopReason.DURATION), BROKE, "timed_out", "timeout", 2),
    "hung": (facts(stop_reason=StopReason.HUNG), KILLED, "failed", "timeout", 2),
    "memory": (facts(stop_reason=MEMORY), KILLED, "failed", "resource", 2),
    "memory after a cancel": (facts(stop_reason=MEMORY), exited(None, 9, stop_reason=CANCEL), "failed", "resource", 2),
    "killed from outside": (facts(), KILLED, "lost", "crash", 2),
    "vanished": (facts(), GONE, "lost", "crash", 2),
    "exit without a result": (facts(), exited(9), "failed", "crash", 2),
    "exit 0 without a result": (facts(), exited(0), "failed", "crash", 2),
    "torn result": (facts(), exited(0, result_problem="result.json: EOF"), "failed", "crash", 2),
    "torn result of an adopted one": (facts(), Observation(Phase.GONE, result_problem="x"), "failed", "crash", 2),
    "result not written": (facts(), exited(WorkerExit.NO_RESULT), "failed", "resource", 2),
    "claim not written": (facts(), exited(WorkerExit.NO_CLAIM), "failed", "resource", 2),
    "claim lost": (facts(), exited(WorkerExit.CLAIM_LOST), "failed", "crash", 2),
    "never began": (facts(attempt=3, never_began=True), GONE, "lost", "crash", 3),
    "out of sight": (facts(machine_gone="desk"), GONE, "lost", "crash", 2),
    "could not be launched": (facts(launch_problem="no more processes"), GONE, "failed", "resource", 2),
    "not launched, another's result": (facts(launch_problem="x", stop_reason=CANCEL), SUCCESS, "failed", "resource", 2),
    "not launched, another's cancel": (
        facts(launch_problem="x"), Observation(Phase.GONE, stop_reason=CANCEL), "failed", "resource", 2
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_table(case):
    known, seen, outcome, kind, following = CASES[case]
    ended = decide(known, seen, NOW)
    assert ended.outcome.value == outcome
    assert ended.success == (outcome == "succeeded")
    assert (ended.failure and ended.failure.failure_class.value) == kind
    if following is None:
        assert ended.following is None
    elif following == "give up":
        assert isinstance(ended.following, GiveUp)
    else:
        assert isinstance(ended.following, Retry)
        assert ended.following.attempt == following
        assert ended.following.at >= NOW


def test_what_the_daemon_brought_about_is_taken_up_at_once():
    for known in (facts(stop_reason=StopReason.SHUTDOWN), facts(never_began=True)):
        assert decide(known, GONE, NOW).following.at == NOW


def test_the_last_state_is_kept_and_tells_the_failure():
    ended = decide(facts(), BROKE, NOW)
    assert (ended.state.best_win_rate, ended.state.best_win_rate_games) == (0.6, 300)
    assert (ended.state.status, ended.state.last_error) == (PipelineStatus.ERROR, "told by the worker")
    assert ended.failure.traceback == "trace"


def test_states_are_looked_for_in_result_progress_and_history():
    told, older = PipelineState(iteration=5), PipelineState(iteration=4)
    assert decide(facts(last_state=older), exited(9, state=told), NOW).state.iteration == 5
    assert decide(facts(last_state=older), exited(9), NOW).state.iteration == 4
    assert decide(facts(), exited(9), NOW).state.best_win_rate == 0
    assert decide(facts(), SAVED, NOW).state.status is PipelineStatus.PAUSED
    assert decide(facts(), SUCCESS, NOW).state == STATE
    assert decide(facts(launch_problem="used already"), SUCCESS, NOW).state.best_win_rate_games == 0


@pytest.mark.parametrize(
    ("known", "seen", "words"),
    [
        (facts(), KILLED, "SIGKILL (the kernel does so when memory runs out)"),
        (facts(), exited(None, 64), "SIGRTMAX"),
        (facts(), exited(None, 77), "signal 77"),
        (facts(), exited(7), "exit code 7"),
        (facts(stop_reason=StopReason.DURATION), KILLED, "longest duration, 8 h"),
        (facts(stop_reason=StopReason.DURATION), BROKE, "The worker said: told by the worker"),
        (
            facts(stop_reason=StopReason.MEMORY),
            exited(None, 9, usage=ResourceUsage(peak_memory_mb=4321.4)),
            "4321 MiB at its peak",
        ),
        (facts(machine_gone="desk"), GONE, "It ran on desk, whose daemon leads no more"),
        (facts(launch_problem="no more processes (run 7)."), GONE, "no more processes (run 7)."),
    ],
)
def test_failures_say_what_was_wrong(known, seen, words):
    assert words in decide(known, seen, NOW).failure.message


def test_delays_double_up_to_their_cap_and_resource_waits_longer():
    plan = schedule(retry_backoff_s=60, retry_backoff_max_s=3600)
    whole = [60, 120, 240, 480, 960, 1920, 3600, 3600]
    for attempt, delay_s in enumerate(whole, start=1):
        assert delay_s * 0.8 <= retry_delay_s(plan, DUE, attempt, FailureClass.ERROR) <= delay_s
    assert 240 * 0.8 <= retry_delay_s(plan, DUE, 1, FailureClass.RESOURCE) <= 240


@hypothesis.settings(deadline=None)
@given(
    attempt=st.integers(min_value=1, max_value=10_000),
    base_s=st.floats(min_value=0.001, max_value=1e6),
    cap_s=st.floats(min_value=0.001, max_value=1e6),
    kind=st.sampled_from(FailureClass),
    due=st.datetimes(timezones=st.just(UTC)),
)
def test_delays_are_bounded_repeatable_and_never_nothing(attempt, base_s, cap_s, kind, due):
    plan = schedule(retry_backoff_s=base_s, retry_backoff_max_s=cap_s)
    delay_s = retry_delay_s(plan, due, attempt, kind)
    assert 0 < delay_s <= cap_s
    assert delay_s >= 0.79 * min(base_s, cap_s)
    assert delay_s == retry_delay_s(plan, due, attempt, kind)
    assert retry_delay_s(plan, due, attempt, FailureClass.RESOURCE) >= retry_delay_s(plan, due, attempt, kind)


def test_runs_that_failed_together_do_not_come_back_together():
    delays = {
        retry_delay_s(TrainingSchedule(name=f"s{number}", cron_expression="0 2 * * *"), DUE, 1, FailureClass.CRASH)
        for number in range(50)
    }
    assert len(delays) == 50
    assert max(delays) - min(delays) > 5


observations = st.builds(
    Observation,
    phase=st.sampled_from([Phase.EXITED, Phase.GONE]),
    exit_code=st.none() | st.integers(min_value=0, max_value=255),
    signal_number=st.none() | st.integers(min_value=1, max_value=64),
    state=st.none() | st.just(STATE),
    result=st.none() | st.builds(result, st.sampled_from(Outcome), st.none() | st.sampled_from(FailureClass)),
    result_problem=st.sampled_from(["", "result.json: torn"]),
    stop_reason=st.none() | st.sampled_from(StopReason),
)
any_facts = st.builds(
    facts,
    attempt=st.integers(min_value=1, max_value=6),
    stop_reason=st.none() | st.sampled_from(StopReason),
    never_began=st.booleans(),
    launch_problem=st.sampled_from(["", "no more processes"]),
    schedule=st.builds(schedule, retry_on_failure=st.booleans(), max_retries=st.integers(min_value=0, max_value=5)),
)


@hypothesis.settings(deadline=None)
@given(known=any_facts, seen=observations)
def test_every_settlement_is_whole(known, seen):
    """Success says nothing more; every other end says why it failed or that it was cancelled, and what comes next."""
    ended = decide(known, seen, NOW)
    assert ended == decide(known, seen, NOW)
    assert ended.success == (ended.outcome is Outcome.SUCCEEDED) == (ended.following is None)
    assert ended.failure is None or not ended.success
    assert ended.failure is not None or ended.outcome in (Outcome.SUCCEEDED, Outcome.CANCELLED)
    if isinstance(ended.following, Retry):
        assert ended.following.attempt in (known.attempt, known.attempt + 1)
        assert ended.failure is None or ended.failure.failure_class is not FailureClass.BAD_INPUT
        if ended.following.attempt > known.attempt:
            assert known.schedule.retry_on_failure
            assert ended.following.attempt <= known.schedule.max_retries + 1
            assert ended.following.at > NOW
        else:
            assert not known.launch_problem or known.stop_reason is StopReason.SHUTDOWN or known.never_began
            assert known.never_began or StopReason.SHUTDOWN in (known.stop_reason, seen.stop_reason)
    if known.stop_reason is StopReason.CANCEL and not ended.success and not known.launch_problem:
        assert isinstance(ended.following, GiveUp)


SNAKE = "SnakeError: a child died with SIGKILL"
ONE = OomKills(before=4, after=5, whose="its control group")


@pytest.mark.parametrize(
    "seen",
    [
        exited(1, result=result(Outcome.FAILED, FailureClass.ERROR, SNAKE), oom_kills=ONE),
        exited(signal_number=signal.SIGKILL, oom_kills=ONE),
        exited(3, oom_kills=ONE),
        Observation(phase=Phase.GONE, oom_kills=ONE),
    ],
)
def test_who_died_for_want_of_memory_is_named_from_the_kernel_s_counter(seen):
    ended = decide(facts(), seen, NOW)
    assert ended.failure.failure_class is FailureClass.RESOURCE
    assert "the kernel ended a process of its control group for want of memory (oom_kill went from 4 to 5)" in (
        ended.failure.message
    )
    assert ended.state.last_error == ended.failure.message
    if seen.result:
        assert ended.failure.message.startswith(SNAKE)


@pytest.mark.parametrize(
    ("stop", "seen"),
    [
        (
            None,
            exited(
                1,
                result=result(Outcome.FAILED, FailureClass.ERROR, SNAKE),
                oom_kills=OomKills(before=4, after=4, whose="x"),
            ),
        ),
        (None, exited(1, result=result(Outcome.FAILED, FailureClass.BAD_INPUT, SNAKE), oom_kills=ONE)),
        (StopReason.DURATION, exited(signal_number=signal.SIGKILL, oom_kills=ONE)),
        (
            None,
            exited(
                1,
                result=result(Outcome.FAILED, FailureClass.ERROR, SNAKE),
                oom_kills=OomKills(before=4, after=0, whose="x"),
            ),
        ),
    ],
)
def test_memory_is_not_named_where_it_is_not_the_reason(stop, seen):
    assert "want of memory" not in decide(facts(stop_reason=stop), seen, NOW).failure.message


def test_a_kill_that_the_kernel_did_not_count_is_not_called_memory():
    counted = exited(signal_number=signal.SIGKILL, oom_kills=OomKills(before=4, after=4, whose="x"))
    assert "memory" not in decide(facts(), counted, NOW).failure.message
    assert "when memory runs out" in decide(facts(), KILLED, NOW).failure.message
