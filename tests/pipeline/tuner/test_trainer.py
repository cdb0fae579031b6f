"""The whole loop in the simulated arena: guide, log, resuming, edits, stops."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.stopping import Stopping
from pipeline.tuner import weights
from pipeline.tuner.trainer import ContinuousTrainer
from pipeline.tuner.tuning_run import EndReason
from schemas.campaign import Checkpoint
from schemas.errors import EvaluationError, SettingsError, SnakeError, StateError
from schemas.model import PipelineState, PipelineStatus

FAST = {"target_improvement": 0.2, "games": 20}


class Climber(ContinuousTrainer):
    """Raises strength by a quarter in every candidate."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        config["body"]["strength"] += 0.5
        return config


class Sinker(ContinuousTrainer):
    """Makes every candidate much worse."""

    def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
        config["body"]["strength"] -= 0.5
        return config


def checkpoint(bench: Any) -> Checkpoint:
    return Checkpoint.model_validate_json((bench.state / "checkpoint.json").read_bytes())


def test_importing_the_trainer_loads_neither_torch_nor_numba() -> None:
    code = (
        "import sys; from pipeline import ContinuousTrainer; ContinuousTrainer(games_per_iteration=50);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numba')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="Nope"):
        pipeline.Nope  # noqa: B018


def test_the_guides_arguments_reach_the_settings(bench: Any) -> None:
    trainer = ContinuousTrainer(
        games_per_iteration=50, checkpoint_interval=5, max_iterations=1000, min_improvement=0.002
    )
    tuner = trainer.settings.tuner
    assert (tuner.games, tuner.checkpoint_interval, tuner.max_iterations, tuner.min_improvement) == (50, 5, 1000, 0.002)
    with pytest.raises(SettingsError, match="games"):
        ContinuousTrainer(games_per_iteration=0)
    with pytest.raises(SettingsError, match="min_improvement: must be smaller"):
        ContinuousTrainer(min_improvement=0.3)


def test_a_strong_change_is_kept_and_the_users_file_follows(bench: Any) -> None:
    before = bench.config.read_text()
    summary = bench.trainer(Climber, max_iterations=2, **FAST).train()
    assert summary.reason is EndReason.ITERATIONS
    after = bench.config.read_text()
    assert after == before.replace("strength: 0.0", "strength: 1.0")
    assert [line["decision"] for line in bench.log()] == ["accepted", "accepted"]
    assert summary.checkpoint.accepted == 2
    assert (bench.state / "reference_config.yaml").read_text() == before
    assert bench.arena.open_players == set()


def test_best_win_rate_is_measured_on_games_that_decided_nothing(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=1, **FAST).train()
    (line,) = bench.log()
    stages = [seed >> 60 for seed in bench.arena.seeds]
    assert line["best_win_rate_games"] == 20
    assert line["best_win_rate"] > 0.55
    assert line["best_win_rate_low"] < line["best_win_rate"] < line["best_win_rate_high"]
    assert stages.count(3) == 25 + 10  # 50 baseline games and 20 of the new best, in pairs
    assert len(set(bench.arena.seeds)) == len(bench.arena.seeds)


def test_a_losing_candidate_never_reaches_the_users_file(bench: Any) -> None:
    seen: set[str] = set()
    bench.arena = type(bench.arena)(before_round=lambda _seed: seen.add(bench.config.read_text()))
    before = bench.config.read_text()
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    assert bench.config.read_text() == before
    assert seen == {before}
    assert [line["improved"] for line in bench.log()] == [False] * 3


def test_default_candidates_change_three_to_five_weights_by_about_15_percent(bench: Any) -> None:
    bench.trainer(max_iterations=12, **FAST).train()
    sizes = [len(line["changed"]) for line in bench.log()]
    assert all(1 <= size <= 5 for size in sizes)
    assert max(sizes) >= 3
    for line in bench.log():
        for path, (old, new) in line["changed"].items():
            assert type(old) is type(new)
            assert path in weights.parse(bench.config.read_text(), "c").weights
            if path == "other.idle":
                assert 0.05 <= abs(new - old) / abs(old) <= 0.25


def test_the_same_seed_repeats_the_campaign(bench: Any, simulated: Any) -> None:
    bench.trainer(max_iterations=4, **FAST).train()
    first = bench.log()
    shutil.rmtree(bench.home)
    simulated.snake_folder(bench.snake)
    bench.trainer(max_iterations=4, **FAST).train()
    keep = ("iteration", "win_rate", "decision", "changed", "games", "seeds", "config_hash")
    assert [[line[key] for key in keep] for line in bench.log()] == [[line[key] for key in keep] for line in first]


def test_resuming_says_so_and_goes_on_counting_with_fresh_seeds(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    bench.said.clear()
    summary = bench.trainer(Sinker, max_iterations=5, **FAST).train()
    assert re.search(r"✓ Resumed from checkpoint: iteration 3, best win rate \d+\.\d%", bench.words)
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3, 4, 5]
    assert summary.checkpoint.iteration == 5
    assert len(set(bench.arena.seeds)) == len(bench.arena.seeds)
    total = sum(line["games"] for line in bench.log()) + 50
    assert summary.checkpoint.total_games == total == bench.arena.games


def test_a_finished_campaign_ends_at_once(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    games = bench.arena.games
    assert bench.trainer(Sinker, max_iterations=2, **FAST).train().reason is EndReason.ITERATIONS
    assert bench.arena.games == games


def test_a_corrupted_checkpoint_is_set_aside_and_the_last_good_one_used(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=2, checkpoint_interval=1, **FAST).train()
    best = bench.config.read_text()
    (bench.state / "checkpoint.json").write_text('{"version": 1, "campaign": "x", "ite')
    bench.said.clear()
    summary = bench.trainer(Sinker, max_iterations=3, **FAST).train()
    assert "is damaged" in bench.words
    assert "Resumed from checkpoint: iteration 2" in bench.words
    assert len(list(bench.state.glob("checkpoint.json.corrupt-*"))) == 1
    assert summary.checkpoint.iteration == 3
    assert bench.config.read_text() == best
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3]


def test_with_both_checkpoints_corrupted_it_starts_afresh_from_the_users_file(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=1, **FAST).train()
    for name in ("checkpoint.json", "checkpoint.previous.json"):
        (bench.state / name).write_bytes(b"\x00\xff")
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    assert "starting afresh" in bench.words
    assert "strength: 0.5" in bench.config.read_text()


def test_moving_the_checkpoint_away_starts_fresh(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    (bench.state / "checkpoint.json").rename(bench.state / "checkpoint.json.backup")
    summary = bench.trainer(Sinker, max_iterations=1, **FAST).train()
    assert summary.checkpoint.iteration == 1
    assert len(bench.log()) == 3
    assert len({line["campaign"] for line in bench.log()}) == 2


def test_a_checkpoint_of_a_newer_program_is_left_alone(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    path = bench.state / "checkpoint.json"
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(StateError, match="version 2"):
        bench.trainer(Sinker, **FAST).train()
    assert '"version": 2' in path.read_text()


def test_iterations_after_the_last_checkpoint_come_back_from_the_log(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    old = checkpoint(bench)
    games = 50 + bench.log()[0]["games"]
    behind = old.model_copy(update={"iteration": 1, "total_games": games, "since_improvement": 1})
    (bench.state / "checkpoint.json").write_text(behind.model_dump_json())
    summary = bench.trainer(Sinker, max_iterations=3, **FAST).train()
    assert summary.checkpoint.iteration == 3
    assert summary.checkpoint.total_games == old.total_games
    assert summary.checkpoint.since_improvement == 3


@pytest.mark.parametrize("torn", [b'{"iteration": 3, "win_r', b"\x00\x00\x00", b"not json"])
def test_a_torn_last_line_is_cut_off(bench: Any, torn: bytes) -> None:
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    with (bench.state / "training_log.jsonl").open("ab") as log:
        log.write(torn)
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    assert "torn line" in bench.words
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3]


def test_a_whole_last_line_without_its_newline_is_kept(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    path = bench.state / "training_log.jsonl"
    path.write_bytes(path.read_bytes()[:-1])
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    assert "torn" not in bench.words
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3]


def test_the_log_may_be_trimmed_as_the_guide_says(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=3, **FAST).train()
    path = bench.state / "training_log.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[-1:]))
    summary = bench.trainer(Sinker, max_iterations=4, **FAST).train()
    assert [line["iteration"] for line in bench.log()] == [3, 4]
    assert summary.checkpoint.iteration == 4


def test_an_edit_between_runs_is_gone_on_from_and_said(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=1, **FAST).train()
    tuned = bench.config.read_text()
    edited = tuned.replace("idle: 5.0", "idle: 6.0")
    bench.config.write_text(edited)
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    assert "was changed by hand" in bench.words
    assert bench.config.read_text() == edited
    (kept,) = bench.state.glob("best_before_edit_*.yaml")
    assert kept.read_text() == tuned
    assert checkpoint(bench).best_config == edited
    assert checkpoint(bench).best is not None


def test_an_edit_during_an_iteration_wins_over_an_accepted_candidate(bench: Any) -> None:
    edited = bench.config.read_text().replace("idle: 5.0", "idle: 6.0")

    def edit_once(seed: int) -> None:
        if seed >> 60 == 2:
            bench.config.write_text(edited)

    bench.arena = type(bench.arena)(before_round=edit_once)
    bench.trainer(Climber, max_iterations=1, **FAST).train()
    (line,) = bench.log()
    assert (line["decision"], line["improved"], line["improvement"]) == ("conflict", False, 0)
    assert bench.config.read_text() == edited
    (kept,) = bench.state.glob("candidate_iteration_*.yaml")
    assert "strength: 0.5" in kept.read_text()
    assert checkpoint(bench).best_config == edited
    assert checkpoint(bench).measurement_due


def test_a_missing_weights_file_is_written_back_from_the_checkpoint(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=1, **FAST).train()
    best = bench.config.read_text()
    bench.config.unlink()
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    assert bench.config.read_text() == best
    assert "is missing" in bench.words


def test_another_snakes_checkpoint_is_kept_apart(bench: Any, simulated: Any, tmp_path: Path) -> None:
    bench.trainer(Sinker, max_iterations=2, **FAST).train()
    other = simulated.snake_folder(tmp_path / "other")
    bench.trainer(Sinker, max_iterations=1, snake_dir=other, **FAST).train()
    assert "belongs to another snake" in bench.words
    assert checkpoint(bench).snake == str(other / "config.yaml")
    assert len(list(bench.state.glob("checkpoint_*.json"))) == 1


def test_a_candidate_that_does_not_build_is_skipped_with_the_compilers_words(bench: Any) -> None:
    tries = []

    def refuse(name: str, _text: str) -> None:
        if name == "candidate":
            tries.append(name)
            if len(tries) in (1, 2, 4):
                raise SnakeError("candidate does not build: exit code 1\n./main.go:7: undefined: x\n")

    bench.arena = type(bench.arena)(refuse=refuse)
    summary = bench.trainer(max_iterations=2, **FAST).train()
    assert "main.go:7: undefined: x" in bench.words
    assert [len(line["skipped"]) for line in bench.log()] == [2, 1]
    assert all(isinstance(line["win_rate"], float) for line in bench.log())
    assert summary.state.error_count == 3
    assert summary.state.consecutive_failures == 0


def test_too_many_failures_in_a_row_end_the_run_with_the_reason(bench: Any) -> None:
    def refuse(name: str, _text: str) -> None:
        if name == "candidate":
            raise SnakeError("candidate does not start", where="port 1")

    bench.arena = type(bench.arena)(refuse=refuse)
    with pytest.raises(SnakeError, match=r"2 candidates in a row.*does not start \(port 1\)"):
        bench.trainer(trainer={"max_consecutive_failures": 2}, **FAST).train()
    assert checkpoint(bench).iteration == 0
    assert bench.arena.open_players == set()


def test_too_many_timeouts_end_the_run_as_an_evaluation_error(bench: Any) -> None:
    bench.arena = type(bench.arena)(failing=lambda seed, name: name == "candidate" and seed % 7 == 0)
    with pytest.raises(EvaluationError, match=r"3 candidates in a row.*failed to answer"):
        bench.trainer(**FAST).train()


def test_a_best_that_does_not_build_ends_the_run_at_once(bench: Any) -> None:
    def refuse(name: str, _text: str) -> None:
        raise SnakeError(f"{name} does not build")

    bench.arena = type(bench.arena)(refuse=refuse)
    with pytest.raises(SnakeError, match="best does not build"):
        bench.trainer(**FAST).train()


def test_stagnation_is_warned_of(bench: Any) -> None:
    summary = bench.trainer(Sinker, max_iterations=7, stagnation_warning_after=3, **FAST).train()
    assert bench.words.count("⚠ No improvement for") == 2
    assert "No improvement for 6 iterations" in bench.words
    assert summary.stagnated


def test_a_stop_is_obeyed_after_the_iteration_in_hand(bench: Any) -> None:
    asked: list[int] = []
    bench.arena = type(bench.arena)(before_round=lambda seed: asked.append(seed) if seed >> 60 == 1 else None)
    stopping = Stopping(lambda: len(asked) > 5)
    summary = bench.trainer(Sinker, trainer={"stopping": stopping}, max_iterations=50, **FAST).train()
    assert summary.reason is EndReason.REQUEST
    assert summary.state.status is PipelineStatus.PAUSED
    assert len(bench.log()) == checkpoint(bench).iteration == 1


def test_an_overdue_stop_drops_the_iteration_and_saves(bench: Any) -> None:
    class Overdue(Stopping):
        def overdue(self) -> bool:
            return self.requested

    asked: list[int] = []
    bench.arena = type(bench.arena)(before_round=lambda seed: asked.append(seed) if seed >> 60 == 1 else None)
    stopping = Overdue(lambda: len(asked) > 5)
    summary = bench.trainer(Sinker, trainer={"stopping": stopping}, max_iterations=50, **FAST).train()
    assert summary.reason is EndReason.REQUEST
    assert "dropped half-way" in bench.words
    assert checkpoint(bench).iteration == 0
    assert checkpoint(bench).best is not None
    assert bench.arena.open_players == set()


def test_a_stop_while_measuring_does_not_cost_the_accepted_candidate(bench: Any) -> None:
    class Overdue(Stopping):
        def overdue(self) -> bool:
            return self.requested

    confirmed: list[int] = []

    def before(seed: int) -> None:
        if seed >> 60 == 2:
            confirmed.append(seed)
        elif seed >> 60 == 3 and confirmed:
            confirmed.append(-1)

    bench.arena = type(bench.arena)(before_round=before)
    stopping = Overdue(lambda: -1 in confirmed)
    bench.trainer(Climber, trainer={"stopping": stopping}, **FAST).train()
    (line,) = bench.log()
    assert line["improved"]
    assert line["best_win_rate"] == pytest.approx(checkpoint(bench).best_win_rate)
    assert checkpoint(bench).measurement_due
    assert "strength: 0.5" in bench.config.read_text()
    bench.arena = type(bench.arena)()
    summary = bench.trainer(Sinker, max_iterations=2, **FAST).train()
    assert not summary.checkpoint.measurement_due
    assert summary.checkpoint.best is not None
    assert summary.checkpoint.best.games == 20


def test_a_spent_time_budget_ends_the_run(bench: Any) -> None:
    summary = bench.trainer(Sinker, trainer={"stopping": Stopping(budget_s=1e-9)}, **FAST).train()
    assert summary.reason is EndReason.TIME
    assert summary.state.status is PipelineStatus.COMPLETED


def test_changed_opponents_have_the_best_measured_anew(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    bench.trainer(Sinker, max_iterations=2, opponents=["http://far"], **FAST).train()
    assert "opponents have changed" in bench.words
    assert bench.log()[-1]["win_rate_against"] == "opponents"
    assert bench.log()[-1]["best_win_rate_against"] == "opponents"


def test_remeasuring_replaces_the_figure(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    first = checkpoint(bench).best
    summary = bench.trainer(Sinker, trainer={"remeasure": True}, max_iterations=2, **FAST).train()
    assert first is not None
    assert summary.checkpoint.best is not None
    assert (first.games, summary.checkpoint.best.games) == (50, 20)


def test_two_tuners_on_one_folder_are_refused(bench: Any) -> None:
    refused: list[StateError] = []

    def second(_seed: int) -> None:
        if not refused:
            with pytest.raises(StateError, match=r"another tuner \(process \d+\)") as caught:
                bench.trainer(Sinker, **FAST).train()
            refused.append(caught.value)

    bench.arena = type(bench.arena)(before_round=second)
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    assert refused
    assert refused[0].exit_code == 2


def test_states_are_reported_with_games_interval_and_speed(bench: Any) -> None:
    states: list[PipelineState] = []
    summary = bench.trainer(Climber, trainer={"report": states.append}, max_iterations=2, **FAST).train()
    assert {"starting", "baseline", "tuning", "confirming", "measuring"} <= {state.current_phase for state in states}
    final = summary.state
    assert final.total_games_processed == bench.arena.games
    assert final.best_win_rate_games == 20
    assert final.best_win_rate_low is not None
    assert final.games_per_second
    assert final.progress_percentage == 100
    assert final.iteration == 2


def test_messages_go_to_a_console_log_of_their_own(bench: Any) -> None:
    bench.trainer(Sinker, max_iterations=1, **FAST).train()
    (path,) = bench.state.glob("training_2*.log")
    assert re.fullmatch(r"training_\d{8}_\d{6}\.log", path.name)
    assert "[1] " in path.read_text()


def test_an_override_may_return_floats_and_leave_the_bounds(bench: Any) -> None:
    class Rough(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            config["other"]["count"] *= 1.37
            config["body"]["strength"] = 99
            return config

    bench.trainer(Rough, max_iterations=1, **FAST).train()
    changed = bench.log()[0]["changed"]
    assert changed == {"body.strength": [0.0, 1.0], "other.count": [7, 10]}


@pytest.mark.parametrize(("returned", "words"), [(None, "NoneType"), ({"body": {}}, "dropped the weight")])
def test_an_override_that_returns_nonsense_is_told(bench: Any, returned: Any, words: str) -> None:
    class Broken(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            return returned  # type: ignore[no-any-return]

    with pytest.raises(SnakeError, match=words):
        bench.trainer(Broken, **FAST).train()


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_guides_jq_lines_work_on_the_log(bench: Any) -> None:
    bench.trainer(Climber, max_iterations=2, **FAST).train()
    log = bench.state / "training_log.jsonl"

    def shell(command: str) -> str:
        ran = subprocess.run(["bash", "-c", command], cwd=log.parent, check=True, capture_output=True, text=True)
        return ran.stdout

    rows = shell("tail -20 training_log.jsonl | jq -r '[.iteration, .win_rate, .best_win_rate] | @tsv'").splitlines()
    assert [len(row.split("\t")) for row in rows] == [3, 3]
    best = json.loads(shell("cat training_log.jsonl | jq -s 'max_by(.win_rate)'"))
    assert best["win_rate"] == max(line["win_rate"] for line in bench.log())
    assert shell("cat training_log.jsonl | jq -s '[.[] | select(.improvement > 0)] | length'").strip() == "2"
    assert float(shell("cat training_log.jsonl | jq -s '[.[].win_rate] | add / length'")) > 0.5
    assert shell("wc -l < training_log.jsonl").strip() == "2"
    assert json.loads(shell("cat checkpoint.json | jq"))["iteration"] == 2
