"""The whole loop on a simulated landscape: the guide's promises, resuming, edits, stops, faults."""

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from tuning_bench import CONFIG, Bench, Climber, Sinker, strength

import pipeline
from pipeline.stopping import Stopping
from pipeline.tuner import weights
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.continuous import ContinuousTrainer
from pipeline.tuner.custom_search import OwnSearch
from pipeline.tuner.jobs import GameResult, JobFailure, JobKind, MatchJob
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.progress import TuningProgress
from pipeline.tuner.report.from_ledger import report_of
from pipeline.tuner.report.page import html_report
from pipeline.tuner.run import EndReason
from pipeline.tuner.verify import verify
from pipeline.tuner.weights_on_disk import opened_run
from schemas.errors import EvaluationError, SettingsError, SnakeError, StateError
from schemas.model import PipelineState, PipelineStatus
from schemas.tuning_run import OpenGate, OpenQuestion, TuningPhase


def test_importing_the_trainer_loads_neither_torch_nor_numba() -> None:
    code = (
        "import sys; from pipeline import ContinuousTrainer; ContinuousTrainer(games_per_iteration=50);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'numba')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="Nope"):
        pipeline.Nope  # noqa: B018


def test_the_guides_arguments_reach_the_settings() -> None:
    trainer = ContinuousTrainer(
        games_per_iteration=50, checkpoint_interval=5, max_iterations=1000, min_improvement=0.002
    )
    tuner = trainer.settings.tuner
    assert (tuner.games, tuner.checkpoint_interval, tuner.max_iterations, tuner.min_improvement) == (50, 5, 1000, 0.002)
    with pytest.raises(SettingsError, match="games"):
        ContinuousTrainer(games_per_iteration=0)
    with pytest.raises(SettingsError, match="min_improvement: must be smaller"):
        ContinuousTrainer(min_improvement=0.3)


def test_a_strong_change_is_kept_and_the_users_file_follows(bench: Bench) -> None:
    before = bench.config.read_text()
    summary = bench.trainer(Climber, max_iterations=2).train()
    assert summary.reason is EndReason.ITERATIONS
    assert bench.config.read_text() == before.replace("strength: 0.0", "strength: 1.0")
    assert [line["decision"] for line in bench.log()] == ["accepted", "accepted"]
    assert (summary.iterations, summary.promotions) == (2, 2)
    assert summary.games == bench.backend.games >= bench.checkpoint()["total_games"] > 100
    assert summary.added == f"This run: {summary.games} games, 2 candidates judged, 2 promotions."
    assert (bench.state / "reference_config.yaml").read_text() == before


def test_the_shown_gain_is_measured_on_games_that_decided_nothing(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=1, measure_games=200).train()
    (line,) = bench.log()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    run = book.runs()[0]
    measured = book.games(run, "1/measure/1/gain/duel")
    decided = {game.seed for block in (0, 2, 12) for game in book.games(run, f"1/gate/1/{block}/duel").values()}
    assert len(measured) == line["best_win_rate_games"] == 200
    assert not decided & {game.seed for game in measured.values()}
    assert line["improvement"] == pytest.approx(line["best_win_rate"] - 0.5)
    assert line["improvement_low"] < 0.26 < line["improvement_high"]  # 200 Elo score 76 %
    assert bench.checkpoint()["best_win_rate"] == line["best_win_rate"]
    book.close()


def test_the_shown_win_rate_is_against_where_the_run_began_and_the_gain_against_the_best_before(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=2, measure_games=200).train()
    first, second = bench.log()
    assert first["best_win_rate"] == pytest.approx(first["improvement"] + 0.5)
    book = Ledger(bench.state / "ledger.db", read_only=True)
    games = {part: book.games(book.runs()[0], f"1/measure/2/{part}/duel") for part in ("gain", "reference")}
    book.close()
    assert {len(played) for played in games.values()} == {200}
    assert second["best_win_rate"] > 0.85 > second["improvement"] + 0.5  # two steps of 200 Elo against one
    assert bench.checkpoint()["best_win_rate"] == second["best_win_rate"]


def test_a_losing_candidate_never_reaches_the_users_file(bench: Bench) -> None:
    seen: set[str] = set()
    bench.backend.passing = lambda: seen.add(bench.config.read_text())
    before = bench.config.read_text()
    bench.trainer(Sinker, max_iterations=3).train()
    assert bench.config.read_text() == before
    assert seen == {before}
    assert [line["decision"] for line in bench.log()] == ["rejected"] * 3


class Circling(SimulatedBackend):
    """What wins between the two loses against others."""

    def _game(self, order: GameOrder) -> GameResult:
        usual = self._elo
        if order.job.kind is JobKind.NO_REGRESSION:
            self._elo = lambda who, overrides: -usual(who, overrides)  # type: ignore[assignment]
        try:
            return super()._game(order)
        finally:
            self._elo = usual


@pytest.mark.parametrize("pool_start", [True, False])
def test_what_beats_the_best_must_not_lose_ground_against_the_start(
    bench: Bench, pool_start: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the search is told of that loss, not of its gain over the best: else it offered the same again."""
    told: list[bool] = []
    heard = OwnSearch.judged
    monkeypatch.setattr(OwnSearch, "judged", lambda self, *said: (told.append(said[-1] > 0), heard(self, *said))[1])
    bench.backend = Circling(strength)
    summary = bench.trainer(Climber, max_iterations=2, measure_games=200, pool_start=pool_start).train()
    first, second = bench.log()
    assert (first["decision"], first["reason"]) == ("accepted", ""), "nobody but the best is there yet"
    assert second["decision"] == ("regressed" if pool_start else "accepted")
    assert told == [True, not pool_start]
    if pool_start:
        assert re.fullmatch(r"worse against the pool: the weights that the run began from -\d+\.\d%", second["reason"])
        assert second["games"] >= second["gate_games"] >= 400 + 20, "both played it"
        assert "strength: 0.5" in bench.config.read_text()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert not verify(book, summary.tuning.campaign).disagreement
    book.close()


def test_a_change_that_alters_no_move_costs_four_games(bench: Bench) -> None:
    class Idler(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            config["other"]["idle"] += 1
            return config

    bench.trainer(Idler, max_iterations=3).train()
    assert [(line["decision"], line["gate_games"]) for line in bench.log()] == [("no_move_changed", 4)] * 3


def test_the_guides_candidates_change_three_to_five_weights_by_about_15_percent(bench: Bench) -> None:
    bench.trainer(max_iterations=12, search="random").train()
    sizes = [len(line["changed"]) for line in bench.log()]
    assert all(1 <= size <= 5 for size in sizes)
    assert max(sizes) >= 3
    for line in bench.log():
        for path, (old, new) in line["changed"].items():
            assert type(old) is type(new)
            assert path in weights.parse(bench.config.read_text(), "c").weights
            if path == "other.idle":
                assert 0.05 <= abs(new - old) / abs(old) <= 0.25


def test_the_default_search_climbs(bench: Bench) -> None:
    """Six questions in play at once, told in order, until candidates pass the gate."""
    most = 0

    def look() -> None:
        nonlocal most
        jobs = {order.job.id for order in bench.backend._under_way if order.job.kind is JobKind.PROBE}
        most = max(most, len(jobs))

    bench.backend.passing = look
    bench.trainer(max_iterations=2, games=30, target_improvement=0.1).train()
    values = weights.parse(bench.config.read_text(), "c").values
    assert strength(values) > 100
    assert most >= 3
    assert all(line["search"] == "spsa" for line in bench.log())


def shallow(values: Mapping[str, Any]) -> float:
    """Strength, until one thinks: from 40 positions on what looked strong is weak."""
    return strength(values) * (1 if values["budget"] < 40 else -1)


def thinking(bench: Bench, games: str, landscape: Callable[[Mapping[str, Any]], float]) -> dict[int, None]:
    """The snake thinks of 60 positions, the search's games of fewer: returned are those of the games to come."""
    probed: dict[int, None] = {}

    def note(order: GameOrder) -> tuple[str, ...]:
        if order.job.kind is JobKind.PROBE:
            probed[int(order.job.conditions.overrides.get("budget", 60))] = None
        return ("",) * len(order.job.line)

    bench.config.write_text(CONFIG + "budget: 60\n")
    (bench.snake / "weight_spec.yaml").write_text(f"budget: {{tune: false}}\n{games}")
    bench.backend = SimulatedBackend(landscape, faults=note)
    return probed


def test_a_search_that_cheap_games_mislead_plays_dearer_ones(bench: Bench) -> None:
    """Begun anew after each verdict; the ledger comes to the same."""
    probed = thinking(bench, "probe_conditions: {budget: 15}\n", shallow)
    for iterations in range(1, 4):
        summary = bench.trainer(max_iterations=iterations, target_improvement=0.1).train()
    assert list(probed) == [15, 30, 60]
    told = [line["reason"] for line in bench.log()]
    assert told == [
        f"the search's cheaper games misled it; they are dearer now: budget {more}" for more in (30, 60)
    ] + [""]
    assert strength(weights.parse(bench.config.read_text(), "c").values) < -50
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert not verify(book, summary.tuning.campaign).disagreement
    assert report_of(book, summary.tuning.campaign, bench.clock()).probe_conditions == "budget = 60"
    book.close()
    probed = thinking(bench, "probe_conditions: {budget: 20}\n", shallow)
    bench.trainer(trainer={"stopping": Stopping(lambda: bench.backend.games >= 60)}, max_iterations=4).train()
    assert list(probed) == [20], "told of other games, the search begins with those"


def blind(values: Mapping[str, Any]) -> float:
    """Strength, seen from 40 positions on alone."""
    return strength(values) if values["budget"] >= 40 else 0.0


def test_a_search_that_finds_nothing_for_long_plays_dearer_games(bench: Bench) -> None:
    """At last the gate's own, and the candidate that is found by those is not measured at any cheaper ones."""
    probed = thinking(bench, "probe_conditions: {budget: 15}\n", blind)
    summary = bench.trainer(max_iterations=1, target_improvement=0.1, search_patience_games=60).train()
    assert list(probed) == [15, 30, 60]
    told = [line for line in bench.said if line.startswith("The search found no candidate")]
    assert [re.sub(r"[67]\d games", "N games", line) for line in told] == [
        f"The search found no candidate in N games; it begins again from the best with dearer ones: budget {more}."
        for more in (30, 60)
    ]
    assert strength(weights.parse(bench.config.read_text(), "c").values) > 50
    assert [(line["decision"], line["probe_improvement"]) for line in bench.log()] == [("accepted", None)]
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert not verify(book, summary.tuning.campaign).disagreement
    book.close()


def test_a_search_without_an_end_of_patience_plays_on(bench: Bench) -> None:
    probed = thinking(bench, "probe_conditions: {budget: 15}\n", blind)
    stopping = Stopping(lambda: bench.backend.games >= 300)
    summary = bench.trainer(trainer={"stopping": stopping}, search_patience_games=0).train()
    assert list(probed) == [15]
    assert summary.tuning.searched_games == 0


def test_games_are_made_dearer_for_searches_that_asked_them_alone(bench: Bench) -> None:
    thinking(bench, "probe_conditions: {budget: 15}\n", strength)
    bench.trainer(Sinker, max_iterations=4, search_patience_games=1).train()
    assert [line["decision"] for line in bench.log()] == ["rejected"] * 4
    assert not any(line["reason"] for line in bench.log())


def test_resuming_says_so_and_goes_on_counting_with_fresh_seeds(bench: Bench) -> None:
    bench.trainer(Sinker, max_iterations=3).train()
    bench.said.clear()
    summary = bench.trainer(Sinker, max_iterations=5).train()
    assert re.search(r"✓ Resumed from checkpoint: iteration 3, best win rate \d+\.\d%", bench.words)
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3, 4, 5]
    assert (summary.iterations, summary.promotions) == (2, 0)
    assert len({line["gate"] for line in bench.log()}) == 5


def test_nothing_left_to_do_is_said_and_is_no_result(bench: Bench) -> None:
    """A finished campaign neither plays nor shows its old win rate as this run's."""
    bench.trainer(Sinker, max_iterations=2).train()
    games = bench.backend.games
    summary = bench.trainer(Sinker, max_iterations=2).train()
    assert summary.reason is EndReason.NOTHING_LEFT
    assert bench.backend.games == games
    assert summary.state.best_win_rate_games == 0
    assert summary.state.status is PipelineStatus.IDLE
    assert "Nothing left to do: all 2 iterations" in summary.added
    assert "--max-iterations" in summary.added


@pytest.mark.parametrize("kind", [Climber, Sinker])
def test_a_crash_right_after_the_campaigns_last_decision_loses_nothing(
    bench: Bench, kind: type[ContinuousTrainer]
) -> None:
    """The step is committed and nothing else: the next start owes the weights and the line, though all is decided."""

    class CrashError(Exception):
        pass

    def crash(point: str) -> None:
        if point == "step_committed":
            book = Ledger(bench.state / "ledger.db", read_only=True)
            decided = book.state(book.runs()[0]).iteration
            book.close()
            if decided:
                raise CrashError

    with pytest.raises(CrashError):
        bench.trainer(kind, max_iterations=1, trainer={"passing": crash}).train()
    assert bench.log() == []
    bench.trainer(kind, max_iterations=1).train()
    (line,) = bench.log()
    assert line["improved"] is (kind is Climber)
    assert ("strength: 0.5" in bench.config.read_text()) is (kind is Climber)


def test_a_damaged_checkpoint_is_set_aside_and_the_ledger_goes_on(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=2).train()
    best = bench.config.read_text()
    (bench.state / "checkpoint.json").write_text('{"version": 2, "campaign": "x", "ite')
    bench.said.clear()
    summary = bench.trainer(Sinker, max_iterations=3).train()
    assert "is damaged" in bench.words
    assert "Resumed from checkpoint: iteration 2" in bench.words
    assert len(list(bench.state.glob("checkpoint.json.corrupt-*"))) == 1
    assert summary.tuning.iteration == 3
    assert bench.config.read_text() == best


def test_moving_the_checkpoint_away_starts_fresh(bench: Bench) -> None:
    bench.trainer(Sinker, max_iterations=2).train()
    (bench.state / "checkpoint.json").rename(bench.state / "checkpoint.json.backup")
    assert bench.trainer(Sinker, max_iterations=1).train().tuning.iteration == 1
    assert len(bench.log()) == 3
    assert len({line["campaign"] for line in bench.log()}) == 2


def test_a_checkpoint_of_a_newer_program_is_left_alone(bench: Bench) -> None:
    bench.trainer(Sinker, max_iterations=1).train()
    path = bench.state / "checkpoint.json"
    path.write_text(path.read_text().replace('"version": 2', '"version": 3'))
    with pytest.raises(StateError, match="version 3"):
        bench.trainer(Sinker).train()
    assert '"version": 3' in path.read_text()


def test_another_snake_begins_its_own_campaign_and_the_first_goes_on_later(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=1).train()
    other = bench.snake.with_name("other")
    other.mkdir()
    (other / "config.yaml").write_text("body:\n  strength: 0.0\n")
    assert bench.trainer(Sinker, max_iterations=2, snake_dir=other).train().tuning.iteration == 2
    assert "belongs to another snake" in bench.words
    assert bench.trainer(Sinker, max_iterations=2).train().tuning.iteration == 2
    assert "strength: 0.5" in bench.config.read_text()


@pytest.mark.parametrize("torn", [b'{"iteration": 3, "win_r', b"\x00\x00\x00", b"not json"])
def test_a_torn_last_line_is_cut_off(bench: Bench, torn: bytes) -> None:
    bench.trainer(Sinker, max_iterations=2).train()
    log = bench.state / "training_log.jsonl"
    log.write_bytes(log.read_bytes() + torn)
    bench.trainer(Sinker, max_iterations=3).train()
    assert "torn line" in bench.words
    assert [line["iteration"] for line in bench.log()] == [1, 2, 3]


def test_a_campaign_of_version_0_1_is_taken_over_once(bench: Bench) -> None:
    """Its counters, its best, its reference and an accepted candidate that a kill left half written."""
    text = bench.config.read_text()
    bench.state.mkdir(parents=True)
    new = text.replace("strength: 0.0", "strength: 0.5")
    old = {
        "version": 1,
        "campaign": "20261101_000000_abcdef",
        "seed": 5,
        "epoch": 3,
        "started_at": "2026-11-01T00:00:00Z",
        "updated_at": "2026-11-02T00:00:00Z",
        "snake": str(bench.config),
        "iteration": 41,
        "total_games": 9000,
        "accepted": 2,
        "since_improvement": 4,
        "consecutive_failures": 0,
        "best_config": text,
        "best_hash": weights.hash_of(text),
        "reference_config": text,
        "opponents": [],
        "best": {"win_rate": 0.512, "low": 0.48, "high": 0.55, "games": 200},
        "measurement_due": False,
        "search_state": {},
        "pending": {
            "old_hash": weights.hash_of(text),
            "new_text": new,
            "record": {"iteration": 42, "campaign": "20261101_000000_abcdef", "win_rate": 0.6, "improved": True},
        },
    }
    (bench.state / "checkpoint.json").write_text(json.dumps(old))
    summary = bench.trainer(Sinker, max_iterations=43).train()
    assert "of an earlier version was taken over" in bench.words
    assert bench.config.read_text() == new
    assert [line["iteration"] for line in bench.log()] == [42, 43]
    assert (summary.tuning.iteration, summary.tuning.accepted) == (43, 3)
    assert 9000 < summary.tuning.total_games <= 9000 + bench.backend.games
    assert bench.checkpoint()["version"] == 2
    bench.said.clear()
    bench.trainer(Sinker, max_iterations=44).train()
    assert "taken over" not in bench.words


def test_an_edit_by_hand_becomes_the_new_best_to_beat(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=1).train()
    bench.config.write_text(bench.config.read_text().replace("strength: 0.5", "strength: 0.25  # mine"))
    summary = bench.trainer(Climber, max_iterations=2).train()
    assert "was changed by hand" in bench.words
    assert "strength: 0.75  # mine" in bench.config.read_text()
    assert "strength: 0.5" in (bench.state / "best_before_edit_iteration_000001.yaml").read_text()
    assert summary.tuning.chapter == 2


def test_after_an_edit_the_search_begins_anew_around_it(bench: Bench) -> None:
    bench.trainer(max_iterations=1, search="spsa").train()
    text = bench.config.read_text()
    bench.config.write_text(re.sub(r"strength: \S+", "strength: -1.6", text, count=1))
    summary = bench.trainer(max_iterations=2, search="spsa").train()
    assert summary.tuning.chapter == 2
    asked = [(question.first[0] + question.second[0]) / 2 for question in summary.tuning.questions]
    assert asked
    assert max(asked) < 0.3  # of [-2, 2], -1.6 is 0.1; the first search stood at 0.5 or above


def test_an_edit_while_a_candidate_is_judged_stays(bench: Bench) -> None:
    def edit(point: str) -> None:
        if point == "before_step" and bench.backend.games > 40 and "# mine" not in bench.config.read_text():
            bench.config.write_text(bench.config.read_text().replace("count: 7", "count: 8  # mine"))

    trainer = bench.trainer(Climber, max_iterations=2, trainer={"passing": edit})
    trainer.train()
    assert "count: 8  # mine" in bench.config.read_text()
    assert "was changed by hand" in bench.words or "was edited meanwhile" in bench.words


def test_a_restart_after_a_promotion_goes_on_where_it_was(bench: Bench) -> None:
    """Bounds that follow from a weight's value are those of the campaign's start, so nothing begins anew."""
    bench.config.write_text(bench.config.read_text().replace("0.0  # [-2, 2]", "0.5  #"))
    bench.trainer(Climber, max_iterations=1).train()
    assert "strength: 1.0" in bench.config.read_text()
    assert bench.trainer(Climber, max_iterations=2).train().tuning.chapter == 1


def test_an_edit_that_adds_and_drops_weights_is_a_new_reference(bench: Bench) -> None:
    bench.trainer(max_iterations=1, search="random").train()
    bench.config.write_text(bench.config.read_text().replace("  idle: ", "  idler: "))
    summary = bench.trainer(max_iterations=3, search="random").train()
    assert summary.tuning.iteration == 3
    assert "idler" in summary.tuning.reference


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("count: 7", "count: 7.5"),
        ("count: 7", "count: 7  # [6, 9]"),
        ("count: 7", "count: 7  # {7, 9}"),
        ("style: bold  # {bold, calm}", "style: wild  # {bold, calm, wild}"),
    ],
)
def test_an_edit_of_kinds_bounds_and_choices_is_what_is_tuned_from_then_on(
    bench: Bench, before: str, after: str
) -> None:
    bench.config.write_text(bench.config.read_text() + "style: bold  # {bold, calm}\n")
    bench.trainer(max_iterations=1, search="random").train()
    text = re.sub(r"count: \S+", "count: 7", bench.config.read_text())
    bench.config.write_text(re.sub(r"style: \w+", "style: bold", text).replace(before, after))
    second = bench.trainer(max_iterations=6, search="random", weights_per_candidate_min=5)
    summary = second.train()
    assert summary.tuning.iteration == 6 and after in summary.tuning.reference
    path = "other.count" if "count" in after else "style"
    rule, told = second.rules[path], weights.parse(summary.tuning.reference, "").weights[path]
    assert (rule.kind, rule.choices) == (type(told.value), told.choices)
    assert told.declared is None or (rule.low, rule.high) == told.declared
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert not verify(book, summary.tuning.campaign).disagreement
    book.close()


def test_games_of_other_conditions_are_not_counted_after_a_restart(bench: Bench) -> None:
    """Stopped in the middle of its measurement, started again with other settings of the same games."""
    stopping = Stopping(lambda: bench.backend.games >= 6)
    bench.trainer(Climber, baseline_games=200, trainer={"stopping": stopping}, opponents=["http://a"]).train()
    played = bench.backend.games
    seen: list[MatchJob] = []

    def note(order: GameOrder) -> tuple[str, ...]:
        seen.append(order.job)
        return ("",) * len(order.job.line)

    bench.backend = SimulatedBackend(strength, faults=note)
    fields: dict[str, Any] = {"baseline_games": 200, "opponents": ["http://a"]}
    bench.trainer(Climber, max_iterations=1, gate_conditions={"timeout_ms": 900}, **fields).train()
    baseline = [job for job in seen if "/measure/0/baseline/" in job.id and job.id.endswith("/first")]
    assert played > 0 and len(baseline) == 200
    assert {job.conditions.referee.timeout_ms for job in baseline} == {900}


def test_a_measurement_made_shorter_goes_on_with_what_was_played_of_it(bench: Bench) -> None:
    stopping = Stopping(lambda: bench.backend.games >= 60)
    bench.trainer(Climber, baseline_games=200, trainer={"stopping": stopping}, opponents=["http://a"]).train()
    before = bench.backend.games
    summary = bench.trainer(Climber, max_iterations=1, baseline_games=20, opponents=["http://a"]).train()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert len(book.games(summary.tuning.campaign, "1/measure/0/baseline/duel/0/first")) == 20
    assert before >= 60 and not verify(book, summary.tuning.campaign).disagreement
    book.close()


def test_a_missing_weights_file_is_written_back(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=1).train()
    best = bench.config.read_text()
    bench.config.unlink()
    bench.trainer(Sinker, max_iterations=2).train()
    assert bench.config.read_text() == best


def test_a_stop_keeps_every_finished_game(bench: Bench) -> None:
    """Asked to stop in the middle of a search, nothing that was played is played again."""
    stop_at = 150
    stopping = Stopping(lambda: bench.backend.games >= stop_at)
    summary = bench.trainer(trainer={"stopping": stopping}).train()
    assert summary.reason is EndReason.REQUEST
    assert summary.state.status is PipelineStatus.PAUSED
    played = bench.backend.games
    bench.trainer(max_iterations=1, games=30, target_improvement=0.1).train()
    resumed = bench.backend.games
    other = Bench(bench.home.parent / "undisturbed", bench.clock)
    other.trainer(max_iterations=1, games=30, target_improvement=0.1).train()
    assert played >= stop_at
    assert other.config.read_text() == bench.config.read_text()
    assert resumed - other.backend.games <= bench.backend.capacity


@pytest.mark.parametrize("late", [1, 20])
def test_one_time_out_in_fifty_games_ends_nothing(bench: Bench, late: int) -> None:
    """Be it in the very first game, when there are no others yet."""
    counted = 0

    def rarely(order: GameOrder) -> tuple[str, ...]:
        nonlocal counted
        counted += 1
        return ("timeout", "") if counted == late else ("", "")

    bench.backend = SimulatedBackend(strength, faults=rarely)
    summary = bench.trainer(Sinker, max_iterations=1).train()
    assert summary.reason is EndReason.ITERATIONS


def test_a_champion_that_keeps_failing_ends_the_run_in_words(bench: Bench) -> None:
    def every_tenth(order: GameOrder) -> tuple[str, ...]:
        return tuple("timeout" if who == 1 and order.number % 5 == 0 else "" for who in order.job.line)

    bench.backend = SimulatedBackend(strength, faults=every_tenth)
    with pytest.raises(EvaluationError, match=r"more than 1% of its games.*"):
        bench.trainer(Sinker, max_iterations=5).train()
    assert bench.checkpoint()["total_games"] > 0


def test_a_candidate_never_wins_by_making_the_champion_late(bench: Bench) -> None:
    """Equal in strength, but the champion is late whenever the candidate wins: it must not be promoted."""

    class Hog(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            config["body"]["strength"] += 0.5
            return config

    def late(order: GameOrder) -> tuple[str, ...]:
        rotation = order.job.games[order.number][1]
        return tuple("timeout" if who == 1 and order.job.kind is JobKind.GATE else "" for who in rotation)

    bench.backend = SimulatedBackend(strength, faults=late)
    with pytest.raises(EvaluationError, match="champion"):
        bench.trainer(Hog, max_iterations=1).train()
    assert "strength: 0.0" in bench.config.read_text()


def test_the_champions_failures_against_an_opponent_are_not_laid_to_the_candidate(bench: Bench, tmp_path: Path) -> None:
    rival = tmp_path / "rival"
    rival.mkdir()

    def late(order: GameOrder) -> tuple[str, ...]:
        rotation = order.job.games[order.number][1]
        whose = order.job.kind is JobKind.GATE and order.job.id.endswith("/second") and order.number < 3
        return tuple("timeout" if whose and who == 0 else "" for who in rotation)

    bench.backend = SimulatedBackend(strength, faults=late)
    with suppress(EvaluationError):  # three failures in a few games end the run; what was judged before stands
        bench.trainer(Climber, max_iterations=1, opponents=[str(rival)]).train()
    assert not [line for line in bench.log() if line["decision"] == "failed"]


def test_a_candidate_that_cannot_be_played_is_skipped(bench: Bench) -> None:
    def refuse(job: MatchJob) -> JobFailure | None:
        bad = (
            job.kind is JobKind.GATE and "strength: 0.5" in job.participants[0].text and job.id.startswith("1/gate/1/")
        )
        return JobFailure(job.id, "does not build", "main.go:3", "Mend it.") if bad else None

    bench.backend = SimulatedBackend(strength, refuse=refuse)
    summary = bench.trainer(Climber, max_iterations=1).train()
    assert "Candidate skipped (1 in a row): main.go:3: does not build" in bench.words
    assert summary.tuning.iteration == 1
    assert summary.tuning.gates == 2


def test_too_many_failures_in_a_row_end_the_run(bench: Bench) -> None:
    def refuse(job: MatchJob) -> JobFailure | None:
        return JobFailure(job.id, "does not build", "main.go:3", "Mend it.") if job.kind is JobKind.GATE else None

    bench.backend = SimulatedBackend(strength, refuse=refuse)
    with pytest.raises(SnakeError, match="3 matches in a row could not be played; the last one: does not build"):
        bench.trainer(Climber).train()
    bench.backend = SimulatedBackend(strength)
    assert bench.trainer(Climber, max_iterations=1).train().tuning.accepted == 1


def test_a_champion_that_cannot_be_played_ends_the_run_at_once(bench: Bench) -> None:
    bench.backend = SimulatedBackend(strength, refuse=lambda job: JobFailure(job.id, "does not build", "main.go:3", ""))
    with pytest.raises(SnakeError, match="does not build"):
        bench.trainer(Climber).train()


def test_a_search_without_changes_is_told(bench: Bench) -> None:
    class Lazy(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            return config

    with pytest.raises(SnakeError, match="no change of any weight in 20 attempts"):
        bench.trainer(Lazy).train()


def test_a_search_that_has_tried_everything_says_so(bench: Bench) -> None:
    bench.config.write_text("on: true\nmode: bold  # {bold, calm}\n")
    bench.backend = SimulatedBackend(lambda values: 400.0 * (bool(values["on"]) + (values["mode"] == "bold")))
    with pytest.raises(SnakeError, match="nothing left to try"):
        bench.trainer(search="spsa").train()
    assert bench.config.read_text() == "on: true\nmode: bold  # {bold, calm}\n"


def test_a_run_that_never_began_and_a_damaged_one_are_told_in_words(bench: Bench) -> None:
    def broken(*_: object) -> SimulatedBackend:
        raise SnakeError("it does not build")

    trainer = bench.trainer()
    trainer._make_backend = broken
    with pytest.raises(SnakeError, match="does not build"):
        trainer.train()
    with opened_run(bench.state, None) as (book, run), pytest.raises(StateError, match="has no steps"):
        report_of(book, run, bench.clock())
    run = bench.trainer(Climber, max_iterations=1).train().tuning.campaign
    for table, column, damage in (
        ("runs", "state", '{"version": 9}'), ("steps", "body", "nonsense"), ("steps", "body", "{}")
    ):  # fmt: skip
        with closing(sqlite3.connect(bench.state / "ledger.db")) as database, database:
            (before,) = database.execute(f"SELECT {column} FROM {table} WHERE run = ?", (run,)).fetchone()
            database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (damage, before))
        with opened_run(bench.state, run) as (book, _):
            with pytest.raises(StateError, match="cannot be read: it is of another version, or damaged"):
                verify(book, run)
            with pytest.raises(StateError, match="cannot be read: it is of another version, or damaged"):
                report_of(book, run, bench.clock())
        with closing(sqlite3.connect(bench.state / "ledger.db")) as database, database:
            database.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (before, damage))


def test_opponents_judge_and_measure(bench: Bench) -> None:
    bench.backend = SimulatedBackend(strength, rival_elo=100)
    summary = bench.trainer(Climber, max_iterations=1, opponents=["http://127.0.0.1:9"], measure_games=200).train()
    (line,) = bench.log()
    assert line["win_rate_against"] == "opponents"
    assert line["improved"]
    assert 0.5 < line["best_win_rate"] < 0.8  # +200 Elo against a rival of +100
    assert summary.tuning.best is not None


def test_a_candidate_that_loses_to_the_pool_is_not_promoted(bench: Bench) -> None:
    class Against(SimulatedBackend):
        """The pool's snake beats whatever is called strong."""

        def _elo_of(self, who: Any, overrides: Any) -> float:
            return super()._elo_of(who, overrides)

        def _game(self, order: GameOrder) -> Any:
            game = super()._game(order)
            if order.job.kind is JobKind.NO_REGRESSION and "strength: 0.5" in order.job.participants[0].text:
                lost = tuple(1 if who == 0 else 0 for who in game.rotation)
                return type(game)(**{**_fields(game), "died_on": lost})
            return game

    bench.backend = Against(strength)
    bench.trainer(Climber, max_iterations=1, pool=["http://127.0.0.1:9"]).train()
    (line,) = bench.log()
    assert line["decision"] == "regressed"
    assert "worse against the pool" in line["reason"]
    assert "strength: 0.0" in bench.config.read_text()


@pytest.mark.parametrize("objective", ["standard", "mixed"])
def test_games_of_four_are_tuned_too(bench: Bench, objective: str) -> None:
    bench.trainer(Climber, max_iterations=1, objective=objective).train()
    (line,) = bench.log()
    assert line["decision"] == "accepted"


def test_switches_and_enumerations_are_raced_words_too(bench: Bench) -> None:
    """No step leads from one word to another: every other value plays the champion, and the clear winner is judged."""
    bench.config.write_text("mode: slow # {slow, middling, quick, foolish}\nbold: false\nidle: 1.0\n")
    worth = {"slow": 0.0, "middling": 60.0, "quick": 200.0, "foolish": -300.0}
    bench.backend = SimulatedBackend(lambda values: worth[str(values["mode"])] + (-100 if values["bold"] else 0))
    bench.trainer(max_iterations=1).train()
    assert bench.config.read_text() == "mode: quick # {slow, middling, quick, foolish}\nbold: false\nidle: 1.0\n"
    (line,) = bench.log()
    assert (line["decision"], line["changed"]) == ("accepted", {"mode": ["slow", "quick"]})
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert verify(book, book.runs()[0]).disagreement == ""
    book.close()


def test_weights_that_change_no_move_are_named_left_out_and_asked_again(bench: Bench) -> None:
    """Three of the five numbers of the landscape have no reader."""
    summary = bench.trainer(max_iterations=2, screen=True, target_improvement=0.1).train()
    assert "3 of 5 weights changed no move in 2 games each: they are left out" in bench.words
    assert "3 of 3 weights have no effect: moved far both ways they changed not one move in 40 games." in bench.words
    assert bench.words.count("other.idle, other.count, other.on") >= 2
    assert summary.tuning.inert == ("other.idle", "other.count", "other.on")
    assert all(not any(path.startswith("other.") for path in line["changed"]) for line in bench.log())
    assert summary.promotions > 0
    assert summary.tuning.screens >= 2


def test_states_are_reported_with_games_and_phases(bench: Bench) -> None:
    states: list[PipelineState] = []
    bench.trainer(Climber, max_iterations=1, trainer={"report": states.append}).train()
    assert {"baseline", "tuning", "measuring"} <= {state.current_phase for state in states}
    assert states[-1].total_games_processed == bench.backend.games


def test_weights_that_matter_together_are_named_after_a_promotion(bench: Bench) -> None:
    """`left` and `right` are worth much where they agree and cost where they do not; `alone` hangs on neither."""
    bench.config.write_text("left: 1.0 # [0, 4]\nright: 1.0 # [0, 4]\nalone: 1.0 # [0, 4]\nstrength: 0.0 # [-2, 2]\n")

    def worth(values: Mapping[str, Any]) -> float:
        return 400 * values["strength"] + 6000 * (values["left"] - 1) * (values["right"] - 1) + 40 * values["alone"]

    class Stronger(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            config["strength"] += 0.5
            return config

    bench.backend = SimulatedBackend(worth)
    bench.trainer(Stronger, max_iterations=2, interactions=True).train()
    book = Ledger(bench.state / "ledger.db", read_only=True)
    run = book.runs()[0]
    (crossed,) = book.steps(run, "crossed")
    assert set(crossed.body["weights"]) == {"left", "right", "alone", "strength"}
    ((one, other, effect, _),) = crossed.body["found"]
    assert ({one, other}, effect > 0) == ({"left", "right"}, True)
    assert "left with right (+" in bench.words
    assert "left</code> with <code>right" in html_report(report_of(book, run, bench.clock()))
    assert verify(book, run).disagreement == ""
    book.close()


def test_a_long_run_says_how_far_it_is(bench: Bench) -> None:
    said: list[str] = []
    summary = bench.trainer(Climber, max_iterations=1).train()
    progress = TuningProgress(lambda _state: None, bench.clock, lambda: 0.0, said.append, say_every_s=0.0)
    question = OpenQuestion(id=1234, first=(0.5,), second=(0.5,), pairs=4, base="")
    progress.enter(summary.tuning.model_copy(update={"questions": (question,), "strategy": "spsa"}))
    assert said == ["… iteration 2, spsa, question 1234; 0 games in this run, 0.0 a second"]
    gate = OpenGate(number=1, point=(0.5,), text="", origin="spsa", gains=(0.25, 0.0))
    progress.enter(summary.tuning.model_copy(update={"phase": TuningPhase.GATE, "gate": gate}))
    assert said[1].startswith("… iteration 2, candidate at the gate, 62.5% of 4 games; ")


def test_a_mean_rule_is_the_guides_and_warns(bench: Bench) -> None:
    bench.trainer(Climber, max_iterations=1, accept="mean").train()
    assert "accept=mean" in bench.words
    (line,) = bench.log()
    assert (line["decision"], line["gate_games"]) == ("accepted", 20)


def test_a_promotion_ends_the_stagnation(bench: Bench) -> None:
    class Late(ContinuousTrainer):
        def random_perturbation(self, config: dict[str, Any], magnitude: float = 0.1) -> dict[str, Any]:
            config["body"]["strength"] += 0.5 if len(bench.log()) == 2 else -0.5
            return config

    summary = bench.trainer(Late, max_iterations=3).train()
    assert [line["decision"] for line in bench.log()] == ["rejected", "rejected", "accepted"]
    assert summary.tuning.since_improvement == 0


def test_stagnation_is_told(bench: Bench) -> None:
    summary = bench.trainer(Sinker, max_iterations=4, stagnation_warning_after=2).train()
    assert "No improvement for 2 iterations" in bench.words
    assert summary.stagnated


def _fields(game: Any) -> dict[str, Any]:
    return {name: getattr(game, name) for name in type(game).__slots__}


def test_other_code_of_the_snake_is_told_and_its_weights_are_screened_and_measured_anew(bench: Bench) -> None:
    """A key that nothing read may be read now; what was measured was the code before."""
    (bench.snake / "main.go").write_text("package main\n")
    bench.trainer(max_iterations=1, search="random", screen=True).train()
    first = bench.trainer(max_iterations=1, search="random", screen=True).train().tuning
    (bench.snake / "main.go").write_text("package main // reads idle now\n")
    second = bench.trainer(max_iterations=2, search="random", screen=True).train().tuning
    assert "A snake's code is another" in bench.words
    assert (second.chapter, second.screens) > (first.chapter, first.screens)
    assert second.measurements > first.measurements
    book = Ledger(bench.state / "ledger.db", read_only=True)
    assert not verify(book, second.campaign).disagreement
    book.close()
