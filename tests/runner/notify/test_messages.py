"""Which message tells what, and whom it reaches."""

from datetime import timedelta

from runner.notify import messages
from schemas.execution import Outcome, ResourceUsage
from schemas.message import MessageKind
from schemas.model import PipelineState, PipelineStatus
from schemas.notification import NotificationSettings
from schemas.times import duration


def test_a_completion_states_the_win_rate_with_its_games(result, schedule, win_rates, settings):
    message = messages.run_ended(result(), schedule, win_rates, settings)
    assert message.kind is MessageKind.COMPLETION
    facts = dict(message.facts)
    assert facts["Best win rate"] == "56.1% (95 % interval 53.0% to 59.1%) over 1,000 games"
    assert facts["Games played"] == "12,345"
    assert "56.1%" in message.subject
    assert message.recipients == ["snake@example.com", "boss@example.com"]
    assert message.log_tail == []


def test_a_completion_states_what_the_run_took_of_the_gpu(result, schedule, settings):
    took = ResourceUsage(samples=3, peak_memory_mb=100, peak_gpu_memory_mb=2048, mean_gpu_percent=87.4)
    facts = dict(messages.run_ended(result(usage=took), schedule, [], settings).facts)
    assert facts["GPU"] == "2,048 MB at its peak, 87 % in use on average"
    silent = took.model_copy(update={"mean_gpu_percent": None})
    assert dict(messages.run_ended(result(usage=silent), schedule, [], settings).facts)["GPU"] == "2,048 MB at its peak"
    assert "GPU" not in dict(messages.run_ended(result(), schedule, [], settings).facts)


def test_a_win_rate_without_games_is_never_told(failed, schedule, settings):
    message = messages.run_ended(failed, schedule, [], settings)
    assert "Best win rate" not in dict(message.facts)
    assert "%" not in message.subject


def test_a_failure_carries_reason_last_log_lines_and_the_next_attempt(failed, schedule, settings):
    message = messages.run_ended(failed, schedule, [], settings)
    assert message.kind is MessageKind.FAILURE
    assert "does not build" in message.headline
    assert message.log_tail[-1] == "line 59 & more"
    assert len(message.log_tail) == messages.LOG_LINES
    assert dict(message.facts)["Next attempt"] == "2026-03-01 04:35 UTC"
    assert "tried again" in message.advice


def test_a_last_failure_says_that_nothing_follows(failed, schedule, settings):
    message = messages.run_ended(failed.model_copy(update={"will_retry_at": None}), schedule, [], settings)
    assert "not be tried again" in message.advice


def test_the_schedule_decides_what_is_told(result, failed, schedule, settings):
    quiet = schedule.model_copy(update={"notify_on_completion": False})
    assert messages.run_ended(result(), quiet, [], settings) is None
    assert messages.run_ended(failed, quiet, [], settings) is not None
    deaf = schedule.model_copy(update={"notify_on_failure": False})
    assert messages.run_ended(failed, deaf, [], settings) is None
    assert messages.run_ended(result(), deaf, [], settings) is not None


def test_a_cancelled_run_is_no_failure(result, schedule, settings):
    cancelled = result(outcome=Outcome.CANCELLED, success=False)
    assert messages.run_ended(cancelled, schedule, [], settings).kind is MessageKind.COMPLETION


def test_one_execution_has_one_key_per_kind(result, failed, schedule, settings):
    keys = {
        messages.run_ended(result(), schedule, [], settings).dedup_key,
        messages.run_ended(failed, schedule, [], settings).dedup_key,
        messages.run_stagnated(result(), schedule, settings).dedup_key,
        messages.run_ended(result(execution_id=8), schedule, [], settings).dedup_key,
    }
    assert len(keys) == 4
    assert (
        messages.run_ended(result(), schedule, [], settings).dedup_key
        == messages.run_ended(result(), schedule, [], settings).dedup_key
    )


def test_stagnation_is_told_once_for_each_best_version(result, schedule, settings):
    def key(**changes) -> str:
        return messages.run_stagnated(result(**changes), schedule, settings).dedup_key

    better = PipelineState(best_model_version="iteration 43")
    nameless = PipelineState()
    assert key(execution_id=7) == key(execution_id=8, schedule_name="nightly")
    assert key(execution_id=9, state=better) != key(execution_id=8)
    assert key(worker="pipeline") != key()
    assert key(execution_id=7, state=nameless) != key(execution_id=8, state=nameless)


def test_a_digest_reaches_everyone_and_repeats_every_headline(result, failed, schedule, settings):
    parts = [
        messages.run_ended(result(), schedule, [], settings),
        messages.run_ended(failed, schedule, [], NotificationSettings(emails=["third@example.com"])),
    ]
    message = messages.digest(parts, settings, failed.completed_at)
    assert message.recipients == ["boss@example.com", "snake@example.com", "third@example.com"]
    assert all(part.headline in message.facts[index][1] for index, part in enumerate(parts))


def test_the_link_goes_to_the_dashboard_where_there_is_one(result, schedule, settings):
    assert messages.run_ended(result(), schedule, [], settings).link == "automation/runs/7"
    with_page = settings.model_copy(update={"dashboard_url": "https://snakes.example/"})
    assert messages.run_ended(result(), schedule, [], with_page).link == "https://snakes.example/executions/7"


def test_what_an_earlier_run_has_told_is_not_told_as_new(result, schedule, settings):
    known = result().state
    again = messages.run_ended(result(execution_id=8), schedule, [], settings, known)
    assert again.subject == "daily: completed, nothing better than 56.1% found"
    assert "nothing better than 56.1% found" in again.headline
    assert dict(again.facts)["Best win rate"].endswith(
        "over 1,000 games; measured before this run, which found nothing better"
    )


def test_a_new_best_is_told_beside_the_old_one(result, schedule, settings):
    known = result().state.model_copy(update={"best_win_rate": 0.5, "best_win_rate_games": 400})
    message = messages.run_ended(result(), schedule, [], settings, known)
    assert message.subject.startswith("daily: completed, best win rate 56.1%")
    assert dict(message.facts)["Best win rate"].endswith("over 1,000 games; before this run 50.0% over 400 games")


def test_what_the_worker_says_it_added_stands_in_the_headline(result, schedule, settings):
    added = "This run: 120 games, 3 candidates judged, nothing was promoted."
    message = messages.run_ended(result(added=added), schedule, [], settings)
    assert message.headline.endswith(added)


def test_nothing_left_to_do_is_one_clear_sentence_told_once(result, schedule, settings, win_rates):
    words = "Nothing left to do: all 100 iterations were done before. Raise tuner.max_iterations."
    idle = PipelineState(status=PipelineStatus.IDLE, operation_details=words)
    told = [
        messages.run_ended(
            result(execution_id=number, state=idle, added=words), schedule, win_rates, settings, result().state
        )
        for number in (8, 9)
    ]
    assert told[0].subject == "daily: nothing left to do"
    assert told[0].headline == f"Run 8 of daily played no game. {words}"
    assert "Best win rate" not in dict(told[0].facts)
    assert told[0].win_rates == []
    assert told[0].dedup_key == told[1].dedup_key
    other = result(state=idle, added=words.replace("100", "200"))
    assert messages.run_ended(other, schedule, [], settings).dedup_key != told[0].dedup_key


def test_durations_read_like_speech():
    told = [duration(timedelta(seconds=seconds)) for seconds in (12, 420, 7500)]
    assert told == ["12 s", "7 min", "2 h 05 min"]
