"""The real arena with a real, tiny snake: matches, starts that fail, and the daemon's job on top."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline import folder_lock
from pipeline.snakes.abandoned import Abandoned
from pipeline.time_budget import time_budget_s
from pipeline.tuner.arena import Round, RoundResult
from pipeline.tuner.http_arena import HttpArena
from pipeline.tuner.job import tune
from pipeline.tuner.seeds import Stage, pair_seeds
from schemas.automation import TriggerType
from schemas.errors import SettingsError, SnakeError
from schemas.execution import FailureClass, Outcome, RunRequest
from schemas.model import PipelineState, PipelineStatus
from schemas.settings import Settings
from schemas.training import TrainingConfiguration
from schemas.tuning import TunerSettings

TINY = Path(__file__).with_name("tiny_snake.py")
RUN = f"{sys.executable} {TINY} {{config}}"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NEVER = lambda: False  # noqa: E731


def tuner(folder: Path, **changes: Any) -> TunerSettings:
    """Settings under which a game of tiny snakes takes a moment."""
    snake = folder / "snake"
    snake.mkdir(exist_ok=True)
    if not (snake / "config.yaml").exists():
        (snake / "config.yaml").write_text("clever: 0  # [0, 1]\n")
    fields = {
        "snake_dir": snake,
        "build_command": "",
        "run_command": RUN,
        "width": 7,
        "height": 7,
        "max_turns": 40,
        "timeout_ms": 5000,
    }
    return TunerSettings.model_validate(fields | changes)


def arena(folder: Path, **changes: Any) -> HttpArena:
    settings = tuner(folder, **changes)
    assert settings.snake_dir is not None
    state = folder / "state"
    state.mkdir(exist_ok=True)
    return HttpArena(settings.snake_dir, state, settings, settings.run_command)


def test_the_cleverer_snake_wins_from_both_seats_in_the_order_of_the_seeds(tmp_path: Path) -> None:
    results: list[RoundResult] = []
    with arena(tmp_path) as games:
        clever, dull = games.player("clever", "clever: 1\n", NEVER), games.player("dull", "clever: 0\n", NEVER)
        seeds = pair_seeds(1, Stage.DECISION, 1, 1, 8)
        games.play([Round(seed, ((clever, dull),)) for seed in seeds], lambda r: results.append(r) or False, NEVER)  # type: ignore[func-returns-value]
    assert [result.seed for result in results] == seeds
    assert sum(result.scores[0] for result in results) / 8 > 0.8
    assert {result.games for result in results} == {2}
    assert not any(result.failed_games for result in results)
    assert not list((tmp_path / "state").iterdir())


def test_two_matches_on_one_seed_are_scored_apart(tmp_path: Path) -> None:
    results: list[RoundResult] = []
    with arena(tmp_path) as games:
        players = {name: games.player(name, f"clever: {name == 'clever':d}\n", NEVER) for name in ("clever", "a", "b")}
        matches = ((players["clever"], players["a"]), (players["b"], players["a"]))
        seeds = pair_seeds(1, Stage.DECISION, 1, 1, 4)
        games.play([Round(seed, matches) for seed in seeds], lambda r: results.append(r) or False, NEVER)  # type: ignore[func-returns-value]
    assert all(result.games == 4 for result in results)
    assert all(result.scores[1] == 0.5 for result in results)
    assert sum(result.scores[0] for result in results) / 4 > 0.8


def test_a_match_ends_at_its_verdict_or_when_dropped(tmp_path: Path) -> None:
    results: list[RoundResult] = []
    with arena(tmp_path) as games:
        one, two = games.player("one", "clever: 0\n", NEVER), games.player("two", "clever: 0\n", NEVER)
        rounds = [Round(seed, ((one, two),)) for seed in pair_seeds(1, Stage.DECISION, 1, 1, 100)]
        games.play(rounds, lambda r: results.append(r) or len(results) == 3, NEVER)  # type: ignore[func-returns-value]
        assert len(results) == 3
        with pytest.raises(Abandoned):
            games.play(rounds, lambda r: results.append(r) or False, lambda: len(results) > 3)  # type: ignore[func-returns-value]
    assert len(results) < 100


def test_a_snake_that_dies_in_a_game_is_named_with_its_exit_code(tmp_path: Path) -> None:
    with arena(tmp_path) as games:
        frail = games.player("frail", "clever: 1\ncrash_at_turn: 2\n", NEVER)
        steady = games.player("steady", "clever: 1\n", NEVER)
        rounds = [Round(seed, ((frail, steady),)) for seed in pair_seeds(1, Stage.DECISION, 1, 1, 2)]
        with pytest.raises(SnakeError, match=r"frail ended by itself with exit code 3"):
            games.play(rounds, lambda _result: False, NEVER)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"run_command": f"{sys.executable} -c 'raise SystemExit(7)'"}, "ended at once with exit code 7"),
        ({"run_command": "sleep 60", "start_timeout_s": 0.5}, "did not listen"),
        ({"run_command": "no-such-program"}, "cannot start no-such-program"),
    ],
)
def test_a_snake_that_does_not_start_is_told(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with arena(tmp_path, **changes) as games, pytest.raises(SnakeError, match=words):
        games.player("candidate", "clever: 1\n", NEVER)


def test_starting_is_dropped_when_the_run_is_to_stop(tmp_path: Path) -> None:
    with arena(tmp_path, run_command="sleep 60") as games, pytest.raises(Abandoned):
        games.player("candidate", "clever: 1\n", lambda: True)


def command_of(process: psutil.Process) -> str:
    """Its command line; empty once it has ended, also while nobody has asked how."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_no_snake_outlives_the_arena(tmp_path: Path) -> None:
    with arena(tmp_path) as games:
        games.player("one", "clever: 1\n", NEVER)
        # Other tests of this process may have children of their own.
        snakes = [child for child in psutil.Process().children(recursive=True) if str(TINY) in command_of(child)]
        assert snakes
    assert [command_of(snake) for snake in snakes if command_of(snake)] == []


def test_scratch_folders_of_a_killed_tuner_are_removed(tmp_path: Path) -> None:
    (tmp_path / "state" / "scratch_old" / "copy_1").mkdir(parents=True)
    with arena(tmp_path):
        assert not (tmp_path / "state" / "scratch_old").exists()


def test_an_empty_run_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run_command is empty"):
        arena(tmp_path, run_command="")


class Context:
    """What a worker gives to a job."""

    def __init__(self, folder: Path) -> None:
        self.run_dir = folder
        self.states: list[PipelineState] = []
        self.stop_after_phase = ""

    def report(self, state: PipelineState) -> None:
        self.states.append(state)

    def stop_requested(self) -> bool:
        return any(state.current_phase == self.stop_after_phase for state in self.states)


def request(folder: Path, training: dict[str, Any] | None = None, **changes: Any) -> RunRequest:
    now = datetime.now(UTC)
    few = {"baseline_games": 4, "games": 4, "max_games": 80, "measure_games": 8, "max_iterations": 1}
    few["target_improvement"] = 0.2
    return RunRequest(
        execution_id=1,
        schedule_name="test",
        trigger_type=TriggerType.MANUAL,
        scheduled_for=now,
        attempt=1,
        worker="tuner",
        worker_reason="test",
        training_config=TrainingConfiguration.model_validate(training or {}),
        deadline=now + timedelta(hours=1),
        seed=4711,
        settings=Settings(home=folder / "home", tuner=tuner(folder, **(few | changes))),
    )


def test_the_job_improves_the_snake_and_tells_its_state(tmp_path: Path) -> None:
    """One weight, 0 of [0, 1], whole: every candidate is the clever snake, which wins nearly always."""
    context = Context(tmp_path)
    result = tune(request(tmp_path), context)
    assert result.outcome is Outcome.SUCCEEDED
    assert result.failure is None
    assert result.state.status is PipelineStatus.COMPLETED
    assert result.state.seed == 4711
    assert result.state.best_win_rate > 0.5
    assert result.state.best_win_rate_games == 8
    assert (tmp_path / "snake" / "config.yaml").read_text() == "clever: 1  # [0, 1]\n"
    assert {"baseline", "tuning", "confirming", "measuring"} <= {str(state.current_phase) for state in context.states}


def test_the_job_saves_and_returns_when_asked_to_stop_and_goes_on_later(tmp_path: Path) -> None:
    context = Context(tmp_path)
    context.stop_after_phase = "tuning"
    stopped = tune(request(tmp_path, max_iterations=None), context)
    assert stopped.outcome is Outcome.CANCELLED
    assert stopped.state.iteration == 1
    again = tune(request(tmp_path, {"force_retrain": True}), Context(tmp_path))
    assert again.outcome is Outcome.SUCCEEDED


def test_the_job_uses_its_time_and_succeeds(tmp_path: Path) -> None:
    result = tune(request(tmp_path, {"max_training_time_hours": 1e-9}), Context(tmp_path))
    assert result.outcome is Outcome.SUCCEEDED
    assert result.state.iteration == 0


def test_a_run_begins_to_save_before_its_deadline(tmp_path: Path) -> None:
    def budget_s(training_hours: float, **until_deadline: float) -> float:
        asked = request(tmp_path, {"max_training_time_hours": training_hours})
        return time_budget_s(asked.model_copy(update={"deadline": NOON + timedelta(**until_deadline)}), NOON)

    assert budget_s(12, hours=8) == 8 * 3600 - 60
    assert budget_s(2, hours=8) == 2 * 3600
    assert budget_s(12, seconds=100) == 95
    assert budget_s(12, seconds=-5) == 0


def test_the_job_succeeds_although_its_training_time_is_longer_than_its_deadline(tmp_path: Path) -> None:
    """Twelve hours asked for, a moment given: it must return by itself, before its parent ends it."""
    context = Context(tmp_path)
    asked = request(tmp_path, max_iterations=None)
    result = tune(asked.model_copy(update={"deadline": datetime.now(UTC) + timedelta(seconds=1)}), context)
    assert result.outcome is Outcome.SUCCEEDED
    assert result.state.status is PipelineStatus.COMPLETED


def test_the_job_fails_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "snake").mkdir()
    (tmp_path / "snake" / "config.yaml").write_text("a: [1\n")
    result = tune(request(tmp_path), Context(tmp_path))
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.failure_class is FailureClass.BAD_INPUT
    assert "malformed YAML" in result.failure.message
    assert result.state.status is PipelineStatus.ERROR


def test_a_run_that_finds_another_tuner_in_its_folder_is_tried_again_later(tmp_path: Path) -> None:
    asked = request(tmp_path)
    with folder_lock.held(asked.settings.tuner_dir, "tuner"):
        result = tune(asked, Context(tmp_path))
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert result.failure.failure_class is FailureClass.RESOURCE
    assert "another tuner" in result.failure.message


def test_the_job_counts_failures_as_its_request_says(tmp_path: Path) -> None:
    request_ = request(tmp_path, {"max_consecutive_failures": 1})
    (tmp_path / "snake" / "config.yaml").write_text("clever: 1\ncrash_at_turn: 1  # [1, 2]\n")
    result = tune(request_, Context(tmp_path))
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert "ended by itself" in result.failure.message
