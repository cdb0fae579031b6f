"""One learner that lives for ever: cycles, runs and kills go on from one object on disk; nothing counts twice."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import cycles_lives
import pytest
import torch
from cycles_lives import CYCLES_PER_RUN, UPDATES, Court, first_network, work_of

from pipeline.evolution.checkpoint import CheckpointFolder
from pipeline.phases import continuous as continuous_room
from pipeline.phases.continuous import Judging, continuous, learner_folder
from schemas.errors import ModelError, OutOfTimeError, StoppedError
from schemas.model import ModelCard, ModelStatus
from schemas.training import TrainingConfiguration

LIVES = Path(cycles_lives.__file__)


def lives(folder: Path, cycles: int, *kills: int) -> list[dict]:
    path = os.pathsep.join([str(LIVES.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(LIVES), str(folder), *map(str, (cycles, *kills))], capture_output=True, text=True,
        check=False, timeout=900, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def killed_as_undisturbed(folder: Path, cycles_per_run: int, kills: int) -> None:
    """Two runs of so many cycles come to what they come to without the kills; each fourth refusal goes back."""
    quiet, killed = lives(folder, cycles_per_run, 0, kills)
    assert (quiet["killed"], killed["killed"]) == (0, kills)
    total = 2 * cycles_per_run
    cycles = [row for row in quiet["asked"] if "cycle" in row]
    assert [row["cycle"] for row in cycles] == [f"run_{r} cycle {n + 1}" for r in (1, 2) for n in range(cycles_per_run)]
    assert quiet["updates"] == total * UPDATES, "counts go on from cycle to cycle and run to run"
    # after each fourth refusal the champion's weights were taken over, with a row that says so
    assert [row["refused"] for row in quiet["asked"] if "returned" in row] == [4] * (total // 4)
    assert (quiet["story"]["refused"], quiet["story"]["returned"]) == (2, total // 4)
    assert quiet["steps"] > 2 * UPDATES - 1, "moments begin anew with other weights only: two cycles since"
    assert [row["parent"] for row in cycles[:3]] == ["base", "run_1 cycle 1", "run_1 cycle 2"]
    for name in ("updates", "weights", "steps", "story", "league"):
        assert killed[name] == quiet[name], name
    # asked again about a cycle, it is the same network that is asked about
    assert {(row["cycle"], row["weights"], row["games"]) for row in killed["asked"] if "cycle" in row} == {
        (row["cycle"], row["weights"], row["games"]) for row in cycles
    }


@pytest.mark.timeout(900)
def test_cycles_in_two_runs_killed_again_and_again_come_to_what_they_come_to_undisturbed(tmp_path):
    """`tests/soak/test_more_kills.py` has more of both."""
    killed_as_undisturbed(tmp_path, CYCLES_PER_RUN, 4)


class Promoting(Court):
    """Decides by a list: True promotes; an exception is raised."""

    def __init__(self, home, decisions):
        super().__init__(home)
        self.decisions, self.asked, self.returned, self.budgets_s = list(decisions), [], [], []

    def judging(self):
        return Judging(self.judge, self.networks.__getitem__, lambda *row: self.returned.append(row))

    def judge(self, made, name, parent, budget_s):
        self.asked.append((name, parent))
        self.budgets_s.append(budget_s)
        decision = self.decisions.pop(0)
        if isinstance(decision, Exception):
            raise decision
        status = ModelStatus.CHAMPION if decision else ModelStatus.REJECTED
        return ModelCard(
            name=name, architecture="CNN_Simple", training_phase="continuous", network={}, encoder_id="e",
            created_at="2026-11-21T12:00:00Z", id=name, version=1, status=status, weights_file="w", sha256="0" * 64,
            size_bytes=1, parameters=1,
        )  # fmt: skip


def cycles(work, court, count):
    phase = work.phase.model_copy(update={"max_epochs": count})
    again = work_of(work.settings.home, work.run_id, phase=phase, **_kept(work))
    return continuous(again, first_network(), torch.device("cpu"), court.judging())


def _kept(work):
    names = ("settings", "configuration", "stop", "champion", "budget_s", "tell", "base_model", "report")
    return {name: getattr(work, name) for name in names}


def state_of(work):
    return CheckpointFolder(learner_folder(work) / "checkpoints", 2).latest()


def test_the_learner_begins_with_the_champion_which_sits_in_its_league(tmp_path):
    court = Promoting(tmp_path, [True, False])
    with torch.no_grad():
        court.networks["base"].value.bias.fill_(0.25)
    work = work_of(tmp_path, "run_1")
    result = cycles(work, court, 1)
    state = state_of(work)
    assert state.counters["life"]["born_from"] == "base"
    assert float(state.arrays["league/champion:base/value.bias"]) == 0.25
    assert abs(float(state.network["value.bias"]) - 0.25) < 0.05, "a few small steps from the champion's weights"
    assert (result.judged_as, "1 promoted" in result.summary) == ("cycle 1", True)
    court.networks["cycle 1"] = result.network
    cycles(work_of(tmp_path, "run_2", champion=lambda: "cycle 1"), court, 1)
    seated = [name for name in state_of(work).counters["league"]["order"] if name.startswith("champion")]
    assert seated == ["champion:base", "champion:cycle 1"]
    assert court.asked[1] == ("cycle 1", "cycle 1"), "of the second run; its parent is what the first run made last"


def test_without_the_wish_a_refused_learner_never_goes_back(tmp_path):
    court, work = Promoting(tmp_path, [False] * 6), work_of(tmp_path, "run_1")
    never = work.settings.self_play.model_copy(update={"return_to_champion_after": None})
    work = work_of(tmp_path, "run_1", settings=work.settings.model_copy(update={"self_play": never}))
    cycles(work, court, 6)
    assert (state_of(work).counters["life"]["refused"], court.returned) == (6, [])
    assert float(state_of(work).optimizer.moments["0/step"]) > 6 * UPDATES - 1


def test_progress_goes_by_time_where_cycles_have_no_end_and_never_back(tmp_path, monkeypatch):
    court, told, looks = Promoting(tmp_path, [False] * 400), [], itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 40.0 * next(looks))  # each look at it: 40 s
    monkeypatch.setattr(continuous_room, "time", clock)
    work = work_of(tmp_path, "run_1", budget_s=1500.0, report=lambda done, *_: told.append(done))
    cycles(work, court, 10**9)
    assert told == sorted(told)
    assert 0.5 < told[-1] <= 1


def test_judging_that_was_stopped_is_done_again_at_the_next_call_and_nothing_is_learned_meanwhile(tmp_path):
    court, work = Promoting(tmp_path, [True, StoppedError("asked"), False]), work_of(tmp_path, "run_1")
    with pytest.raises(StoppedError):
        cycles(work, court, 2)
    assert state_of(work).counters["updates"] == 2 * UPDATES
    cycles(work, court, 2)
    assert state_of(work).counters["updates"] == 2 * UPDATES
    assert [name for name, _ in court.asked] == ["cycle 1", "cycle 2", "cycle 2"]
    assert court.budgets_s[2] >= court.budgets_s[1] > 0, "by what was learned in the cycle, not since the restart"


def test_a_stop_in_a_cycle_judges_nothing(tmp_path):
    court = Promoting(tmp_path, [])
    result = cycles(work_of(tmp_path, "run_1", stop=lambda: True), court, 2)
    assert (result.stopped, court.asked) == (True, [])


def test_no_time_for_a_first_cycle_is_an_error(tmp_path):
    with pytest.raises(OutOfTimeError):
        cycles(work_of(tmp_path, "run_1", budget_s=0.0), Promoting(tmp_path, []), 2)


@pytest.mark.parametrize("why", ["another network", "force_retrain"])
def test_a_learner_that_does_not_fit_is_set_aside_whole_and_another_begins(tmp_path, why):
    court, work, lines = Promoting(tmp_path, [False] * 2), work_of(tmp_path, "run_1"), []
    cycles(work, court, 1)
    changed = {"tell": lines.append, "champion": lambda: None}
    if why == "force_retrain":
        changed["configuration"] = TrainingConfiguration(force_retrain=True)
        cycles(work_of(tmp_path, "run_2", **changed), court, 1)
    else:
        phase = work.phase.model_copy(update={"max_epochs": 1})
        other = first_network()
        other.config = other.config.model_copy(update={"dropout_rate": 0.5})
        again = work_of(tmp_path, "run_2", phase=phase, **changed)
        continuous(again, other, torch.device("cpu"), court.judging())
    assert state_of(work).counters["updates"] == UPDATES
    aside = list(work.settings.pipeline_dir.glob("learner-*"))
    assert len(aside) == 1
    assert CheckpointFolder(aside[0] / "checkpoints", 2).latest().counters["life"]["born_in"] == "run_1"
    assert sum("set aside" in line for line in lines) == 1


def test_a_damaged_record_of_cycles_is_told_with_its_place(tmp_path):
    work = work_of(tmp_path, "run_1")
    work.folder.mkdir(parents=True)
    (work.folder / "cycles.json").write_text("{")
    with pytest.raises(ModelError, match=r"cycles\.json"):
        cycles(work, Promoting(tmp_path, []), 1)
