"""The driver of a run: phases in order, one record on disk, failures counted, stops and time honoured."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.orchestrator.progress import RunProgress, read_state
from pipeline.orchestrator.run_record import PhaseRecord, RunRecord, load_run
from pipeline.orchestrator.training_run import Ended, TrainingRun
from pipeline.phases.context import PhaseResult
from pipeline.stopping import Stopping
from schemas.errors import NothingLearnedError, OutOfTimeError, StateError, StoppedError, TrainingError
from schemas.model import Measured, ModelCard, ModelStatus, PipelineStatus
from schemas.network import NeuralNetworkConfig
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def card(model_id: str) -> ModelCard:
    return ModelCard(
        name=model_id, architecture="CNN_Simple", training_phase="x", network=NeuralNetworkConfig(), encoder_id="e",
        created_at=NOON, id=model_id, version=1, status=ModelStatus.CANDIDATE, weights_file="w", sha256="0" * 64,
        size_bytes=1, parameters=1, measured={"win_rate": Measured(value=0.6, low=0.5, high=0.7, games=100, how="x")},
    )  # fmt: skip


class Bench:
    """A phase runner that trains nothing; `does` says what each phase comes to, call by call."""

    def __init__(self, does=None):
        self.does = does or {}
        self.calls = []
        self.judged = []
        self.judging_s, self.training_s = [], []
        self.rolled_back = 0
        self.unusable = {}

    def train(self, work):
        self.calls.append((work.name, work.base_model))
        self.training_s.append(work.budget_s)
        work.report(0.5, "half", {})
        todo = self.does.get(work.name, [])
        what = todo.pop(0) if todo else "done"
        if isinstance(what, Exception):
            raise what
        return PhaseResult(
            network=None, summary="x", games=10, games_learned=10, positions_learned=100, data_sources=("s",), seed=1,
            stopped=what == "stopped",
        )  # fmt: skip

    def register(self, result, run, phase):
        return card(f"{run.run_id}-{phase}")

    def judge(self, model, run, stop, budget_s):
        self.judging_s.append(budget_s)
        self.judged.append(model.id)
        if self.does.get("judge"):
            raise self.does["judge"].pop(0)
        return model

    def card(self, model_id):
        return card(model_id)

    def champion(self):
        return None

    def champion_id(self):
        return None

    def why_unusable(self, model_id):
        return self.unusable.get(model_id)

    def roll_back_checkpoint(self, folder):
        self.rolled_back += 1
        return "rolled back"


def make(
    tmp_path: Path, bench: Bench, record: RunRecord | None = None, stopping=None, conclude=lambda: None,
    tell=lambda _line: None, heard=lambda _state: None, **configuration,
) -> TrainingRun:  # fmt: skip
    folder = tmp_path / "self_play"
    folder.mkdir(exist_ok=True)
    asked = TrainingConfiguration(target_phases=["bootstrap", "hybrid"], **configuration)
    record = record or RunRecord(
        run_id="run_1", seed=7, started_at=NOON, configuration=asked,
        phases=[PhaseRecord(name="bootstrap"), PhaseRecord(name="hybrid")],
    )  # fmt: skip
    progress = RunProgress(folder, lambda: NOON, (heard,))
    return TrainingRun(
        record, Settings(home=tmp_path), folder / "run_1", bench, progress, stopping or Stopping(), lambda: NOON,
        tell, conclude,
    )  # fmt: skip


def test_phases_follow_one_another_each_from_the_model_before(tmp_path):
    bench = Bench()
    summary = make(tmp_path, bench).go()
    assert summary.ended is Ended.DONE
    assert bench.calls == [("bootstrap", None), ("hybrid", "run_1-bootstrap")]
    assert bench.judged == ["run_1-bootstrap", "run_1-hybrid"]
    state = read_state(tmp_path / "self_play")
    assert state.status is PipelineStatus.COMPLETED and state.progress_percentage == 100
    assert (state.total_games_processed, state.total_models_trained) == (20, 2)
    assert (state.best_win_rate, state.best_win_rate_games) == (0.6, 100)
    assert load_run(tmp_path / "self_play").finished


def test_judging_has_its_planned_share_of_each_phase_s_time(tmp_path):
    bench = Bench()
    make(tmp_path, bench, max_training_time_hours=2).go()
    share = Settings().tournament.judging_share
    assert bench.training_s[0] == pytest.approx(3600 * (1 - share), rel=0.02)
    assert bench.judging_s[0] == pytest.approx(3600 * share, rel=0.02)
    assert bench.judging_s[1] == pytest.approx(7200 * share, rel=0.02), "what the first phase left, the second has"


def test_a_stopped_phase_goes_on_at_the_next_call(tmp_path):
    bench = Bench({"hybrid": ["stopped"]})
    asked = [False]
    first = make(tmp_path, bench, stopping=Stopping(lambda: asked[0])).go()
    assert first.ended is Ended.TIME  # nobody asked: the phase itself gave up for want of this process's time
    left = load_run(tmp_path / "self_play")
    assert not left.finished and left.next_phase().name == "hybrid"
    second = make(tmp_path, bench, left).go()
    assert second.ended is Ended.DONE
    assert bench.calls[-1] == ("hybrid", "run_1-bootstrap")
    assert bench.judged.count("run_1-bootstrap") == 1


def test_a_request_is_told_apart_from_spent_time(tmp_path):
    bench = Bench({"bootstrap": ["stopped"]})
    summary = make(tmp_path, bench, stopping=Stopping(lambda: bool(bench.calls))).go()
    assert summary.ended is Ended.REQUEST
    assert read_state(tmp_path / "self_play").status is PipelineStatus.PAUSED
    assert not load_run(tmp_path / "self_play").finished


def test_judging_that_is_stopped_is_done_again(tmp_path):
    bench = Bench({"judge": [StoppedError("asked")]})
    assert make(tmp_path, bench).go().ended is Ended.TIME
    left = load_run(tmp_path / "self_play")
    assert not left.phases[0].done
    assert make(tmp_path, bench, left).go().ended is Ended.DONE
    assert bench.judged.count("run_1-bootstrap") == 2
    assert [name for name, _ in bench.calls] == ["bootstrap", "hybrid"]  # what is registered is not trained on


def test_games_of_a_phase_in_two_parts_are_counted_once(tmp_path):
    bench = Bench({"bootstrap": ["stopped"]})  # each part tells the games of the whole phase
    make(tmp_path, bench).go()
    left = load_run(tmp_path / "self_play")
    assert left.games == 10
    assert make(tmp_path, bench, left).go().record.games == 20


def test_a_run_is_finished_only_after_its_conclusion(tmp_path):
    def fail() -> None:
        assert not load_run(tmp_path / "self_play").finished
        raise OSError(28, "no space")

    with pytest.raises(OSError, match="no space"):
        make(tmp_path, Bench(), conclude=fail).go()
    left = load_run(tmp_path / "self_play")
    assert not left.finished
    assert left.next_phase() is None
    bench, concluded = Bench(), []
    summary = make(tmp_path, bench, left, conclude=lambda: concluded.append(1)).go()
    assert (summary.ended, concluded, bench.calls) == (Ended.DONE, [1], [])
    assert summary.state.phases_completed == ["bootstrap", "hybrid"]
    assert load_run(tmp_path / "self_play").finished


def test_a_run_that_somebody_stopped_is_not_concluded(tmp_path):
    bench, concluded = Bench({"bootstrap": ["stopped"]}), []
    make(tmp_path, bench, stopping=Stopping(lambda: bool(bench.calls)), conclude=lambda: concluded.append(1)).go()
    assert not concluded


def test_failures_are_counted_rolled_back_and_given_up(tmp_path):
    bench = Bench({"bootstrap": [TrainingError("lost"), "done"]})
    summary = make(tmp_path, bench).go()
    assert summary.ended is Ended.DONE
    assert bench.rolled_back == 1
    assert (summary.record.error_count, summary.record.consecutive_failures) == (1, 0)

    worse = Bench({"bootstrap": [TrainingError("lost")] * 3})
    (tmp_path / "other").mkdir()
    with pytest.raises(TrainingError, match="3 failures in a row; the last: lost"):
        make(tmp_path / "other", worse).go()
    left = load_run(tmp_path / "other" / "self_play")
    assert (left.consecutive_failures, left.error_count, left.phases[0].failures) == (3, 3, 3)


def test_roll_back_on_failure_can_be_switched_off(tmp_path):
    bench = Bench({"bootstrap": [TrainingError("lost")]})
    make(tmp_path, bench, rollback_on_failure=False).go()
    assert bench.rolled_back == 0


def test_a_run_whose_time_is_used_up_before_it_made_a_model_ends_as_an_error(tmp_path):
    bench = Bench()
    record = RunRecord(
        run_id="run_1", seed=7, started_at=NOON, spent_s=3600,
        configuration=TrainingConfiguration(target_phases=["bootstrap"], max_training_time_hours=1),
        phases=[PhaseRecord(name="bootstrap", spent_s=3600)],
    )  # fmt: skip
    concluded = []
    with pytest.raises(OutOfTimeError, match="ended without having learned anything"):
        make(tmp_path, bench, record, conclude=lambda: concluded.append(1)).go()
    assert not bench.calls and not concluded
    assert load_run(tmp_path / "self_play").finished, "the next call begins another run"


def test_no_phase_begins_when_the_time_is_used_up(tmp_path):
    bench = Bench()
    record = RunRecord(
        run_id="run_1", seed=7, started_at=NOON, spent_s=3600, models_trained=1,
        configuration=TrainingConfiguration(target_phases=["bootstrap", "hybrid"], max_training_time_hours=1),
        phases=[PhaseRecord(name="bootstrap", done=True, model_id="a"), PhaseRecord(name="hybrid", spent_s=3600)],
    )  # fmt: skip
    summary = make(tmp_path, bench, record).go()
    assert summary.ended is Ended.TIME and summary.record.finished
    assert not bench.calls


def test_a_first_phase_that_learned_nothing_for_want_of_time_ends_the_run_without_a_model(tmp_path):
    bench = Bench({"bootstrap": [OutOfTimeError("no time for the first step")]})
    with pytest.raises(NothingLearnedError, match="bootstrap: no time for the first step"):
        make(tmp_path, bench).go()
    assert (bench.calls, bench.judged) == ([("bootstrap", None)], [])
    left = load_run(tmp_path / "self_play")
    assert left.finished and left.models_trained == 0 and left.latest_model() is None
    assert read_state(tmp_path / "self_play").phases_completed == []


def test_a_later_phase_that_learned_nothing_is_given_up_with_its_reason_and_not_done(tmp_path):
    bench = Bench({"hybrid": [OutOfTimeError("no time for the first step")]})
    summary = make(tmp_path, bench).go()
    assert summary.ended is Ended.TIME
    assert (summary.state.phases_completed, summary.state.total_models_trained) == (["bootstrap"], 1)
    assert "no time for the first step" in summary.state.last_error
    assert bench.judged == ["run_1-bootstrap"] and bench.rolled_back == 0
    hybrid = load_run(tmp_path / "self_play").phases[1]
    assert (hybrid.done, hybrid.model_id, hybrid.given_up) == (False, None, "no time for the first step.")


def test_a_phase_with_nothing_to_learn_from_is_not_tried_again_and_again(tmp_path):
    bench = Bench({"bootstrap": [NothingLearnedError("an empty batch")] * 9})
    with pytest.raises(NothingLearnedError, match="an empty batch"):
        make(tmp_path, bench).go()
    assert len(bench.calls) == 1 and not bench.judged
    assert not load_run(tmp_path / "self_play").finished, "with other settings it goes on"


def test_a_model_that_was_damaged_meanwhile_is_made_again_by_its_phase(tmp_path):
    bench, told = Bench(), []
    bench.train = lambda work: (bench.unusable.clear(), Bench.train(bench, work))[1]
    bench.unusable["run_1-bootstrap"] = "its file is gone"
    record = RunRecord(
        run_id="run_1", seed=7, started_at=NOON, models_trained=1,
        configuration=TrainingConfiguration(target_phases=["bootstrap", "hybrid"]),
        phases=[PhaseRecord(name="bootstrap", done=True, model_id="run_1-bootstrap"), PhaseRecord(name="hybrid")],
    )  # fmt: skip
    summary = make(tmp_path, bench, record, tell=told.append).go()
    assert summary.ended is Ended.DONE
    assert bench.calls == [("bootstrap", None), ("hybrid", "run_1-bootstrap")]
    assert "⚠ run_1-bootstrap is set aside: its file is gone" in told


def test_a_base_that_cannot_be_used_gives_its_place_to_the_champion_there_is(tmp_path):
    bench = Bench()
    bench.unusable["old"] = "it is of another version"
    bench.champion_id = lambda: "sound"
    record = RunRecord(
        run_id="run_1", seed=7, started_at=NOON, base_model="old",
        configuration=TrainingConfiguration(target_phases=["hybrid"]), phases=[PhaseRecord(name="hybrid")],
    )  # fmt: skip
    make(tmp_path, bench, record).go()
    assert bench.calls == [("hybrid", "sound")]


def test_progress_never_runs_backwards(tmp_path):
    """Whatever a phase says: a step back after a lost loss, a resumed part that begins its own count anew."""
    told = []
    for part, ends in (([0.2, 0.6, 0.4, -1.0], "stopped"), ([0.0, 0.1, 0.9, 0.3, 1.7], "done")):
        bench = Bench({"bootstrap": [ends]})

        def train(work, part=part, bench=bench):
            for share in part:
                work.report(share, "x", {})
            return Bench.train(bench, work)

        bench.train = train
        record = load_run(tmp_path / "self_play") if told else None
        make(tmp_path, bench, record, heard=lambda state: told.append(state.progress_percentage)).go()
    assert told == sorted(told) and told[-1] == 100
    assert told.count(30) > 4, "half of 0.6, until more was done"


def test_seconds_are_charged_to_the_run_and_its_phase(tmp_path, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("pipeline.orchestrator.training_run.time.monotonic", lambda: clock[0])

    class Slow(Bench):
        def train(self, work):
            clock[0] += 60
            return super().train(work)

    summary = make(tmp_path, Slow()).go()
    assert summary.record.spent_s == 120
    assert [phase.spent_s for phase in summary.record.phases] == [60, 60]


def test_the_seconds_of_judging_are_the_judged_phases(tmp_path, monkeypatch):
    """Charged to the phase after it, they shortened that one's own share."""
    clock = [100.0]
    monkeypatch.setattr("pipeline.orchestrator.training_run.time.monotonic", lambda: clock[0])

    class SlowCourt(Bench):
        def judge(self, model, run, stop, budget_s):
            clock[0] += 60
            return super().judge(model, run, stop, budget_s)

    bench = SlowCourt()
    summary = make(tmp_path, bench, max_training_time_hours=1).go()
    assert [phase.spent_s for phase in summary.record.phases] == [60, 60]
    share = Settings().tournament.judging_share
    assert bench.training_s[1] == pytest.approx((3600 - 60) * (1 - share)), "all that the first phase left"


def test_a_registered_model_is_judged_though_the_time_is_used_up(tmp_path):
    """Its judging was interrupted, with the run's time at an end: without it, all that was trained would be lost."""
    bench = Bench()
    record = RunRecord(
        run_id="run_1", seed=7, started_at=NOON, spent_s=3600,
        configuration=TrainingConfiguration(target_phases=["bootstrap", "hybrid"], max_training_time_hours=1),
        phases=[PhaseRecord(name="bootstrap", spent_s=3600, model_id="run_1-bootstrap"), PhaseRecord(name="hybrid")],
    )  # fmt: skip
    summary = make(tmp_path, bench, record).go()
    assert (bench.judged, bench.calls) == (["run_1-bootstrap"], [])
    assert summary.ended is Ended.TIME and summary.record.models_trained == 1


def test_a_damaged_record_is_told_with_its_place(tmp_path):
    (tmp_path / "run.json").write_text('{"run_id": 3}')
    with pytest.raises(StateError, match=r"run\.json"):
        load_run(tmp_path)
    assert load_run(tmp_path / "nowhere") is None
