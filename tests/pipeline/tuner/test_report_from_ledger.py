"""A run's report out of its ledger, and its weights into the snake's file and back."""

import re
import sqlite3
import struct
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from tuning_bench import Bench, Climber, Sinker

from pipeline import folder_lock
from pipeline.tuner import continuous, job, progress
from pipeline.tuner.command import tune
from pipeline.tuner.gate import GateVerdict
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.report.from_ledger import report_of
from pipeline.tuner.report.picture import figure, png
from schemas.automation import TriggerType
from schemas.errors import OuroborosError
from schemas.execution import PICTURE_NAME, Outcome, RunRequest
from schemas.model import PipelineState
from schemas.settings import Settings
from schemas.training import TrainingConfiguration

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture
def home(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench's state folder is the one that commands work in."""
    monkeypatch.setenv("OUROBOROS_HOME", str(bench.home))
    monkeypatch.delenv("OUROBOROS_CONFIG", raising=False)
    return bench


def said(*arguments: str) -> str:
    result = CliRunner().invoke(tune, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(("rate", "half", "told"), [(0.6, 0.05, True), (0.66, 0.05, False), (0.6, 0.2, False)])
def test_a_best_that_fares_worse_against_the_start_is_named(
    home: Bench, rate: float, half: float, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had beaten the best before it, by 63.5 % of 400 real games, and lost ground against the first weights."""
    seen: list[int] = []
    monkeypatch.setattr(progress, "in_circles", lambda promotions: seen.append(len(promotions)) or "in circles")
    home.trainer(Climber, max_iterations=2).train()
    assert seen == [1, 2]
    assert home.said.count("⚠ in circles") == 2
    monkeypatch.undo()
    monkeypatch.setenv("OUROBOROS_HOME", str(home.home))
    with closing(sqlite3.connect(home.state / "ledger.db")) as book, book:
        for iteration, mean, width in ((1, 0.686, 0.045), (2, rate, half)):
            for key, value in {"": mean, "_low": mean - width, "_high": mean + width}.items():
                book.execute(
                    "UPDATE steps SET body = json_set(body, ?, ?) WHERE json_extract(body, '$.record.iteration') = ?",
                    (f"$.record.best_win_rate{key}", value, iteration),
                )
    shown = said("report")
    assert ("need not be stronger against others" in " ".join(shown.split())) is told
    assert "The best has 60.0% of" in shown or not told


def test_the_report_says_what_the_ledger_holds(home: Bench) -> None:
    home.trainer(Climber, max_iterations=2, measure_games=100).train()
    book = Ledger(home.state / "ledger.db", read_only=True)
    run = book.runs()[0]
    report, log = report_of(book, run, NOW), home.log()
    book.close()
    assert report.games_in_all == home.checkpoint()["total_games"]
    assert [gate.verdict for gate in report.gates] == [GateVerdict.PROMOTED] * 2
    for gate, line in zip(report.gates, log, strict=True):
        assert gate.measured is not None
        assert gate.measured.gain == line["improvement"]
        assert gate.decision.ratio == line["log_likelihood_ratio"] >= gate.decision.upper
        assert gate.decision.path[-1] == (gate.decision.seeds, gate.decision.ratio)
        assert [seeds for seeds, _ in gate.decision.path] == sorted({seeds for seeds, _ in gate.decision.path})
    assert report.gain is not None
    assert report.gain.gain + 0.5 == log[-1]["best_win_rate"]
    assert [point.games for point in report.elo] == [0, log[0]["games"], log[0]["games"] + log[1]["games"]]
    (changed,) = [row for row in report.weights if row.changed]
    assert (changed.path, changed.before, changed.after) == ("body.strength", 0.0, 1.0)
    assert "-  strength: 0.0" in report.difference


def test_every_run_leaves_its_page_and_says_where(home: Bench) -> None:
    home.trainer(Sinker, max_iterations=2).train()
    page = Path(re.search(r"Report: (\S+index\.html)", home.words)[1])  # type: ignore[index]
    text = page.read_text(encoding="utf-8")
    assert page.parent.parent == home.state / "reports"
    assert "not better" in text
    assert "Nothing has changed." in text


def test_the_command_shows_the_newest_run_or_the_one_named(home: Bench) -> None:
    home.trainer(Climber, max_iterations=1).train()
    (run,) = [path.name for path in (home.state / "reports").iterdir()]
    assert f"Run {run}" in said("report")
    assert said("report", run).rstrip().endswith(f"reports/{run}/index.html")
    with pytest.raises(OuroborosError, match=r"there is no run '\.\./\.\./x' in the ledger"):
        said("report", "../../x")


def test_revert_and_apply_change_the_snakes_file_and_keep_what_stood_there(home: Bench) -> None:
    before = home.config.read_text()
    home.trainer(Climber, max_iterations=1).train()
    tuned = home.config.read_text()
    output = said("revert")
    assert home.config.read_text() == before
    assert "-  strength: 0.5" in output
    assert Path(re.search(r"kept as (\S+\.yaml)\.", output)[1]).read_text() == tuned  # type: ignore[index]
    assert "holds the first weights" in said("revert")
    assert "already" in said("revert")
    assert "+  strength: 0.5" in said("apply")
    assert home.config.read_text() == tuned


def test_nothing_is_put_under_a_tuner_at_work(home: Bench) -> None:
    home.trainer(Climber, max_iterations=1).train()
    tuned = home.config.read_text()
    with folder_lock.held(home.state, "tuner"), pytest.raises(OuroborosError, match="another tuner"):
        said("revert")
    assert home.config.read_text() == tuned


def test_without_a_run_a_sentence_says_so(home: Bench) -> None:
    for command in ("report", "apply", "revert"):
        with pytest.raises(OuroborosError, match="there is no ledger yet"):
            said(command)


def test_a_run_of_the_daemon_leaves_its_picture_for_the_mail(
    home: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elo over games, every test of the gate marked; a run that judged nothing has nothing to show."""

    class Context:
        run_dir = tmp_path

        def report(self, state: PipelineState) -> None:
            pass

        def stop_requested(self) -> bool:
            return False

    tuner = home.trainer(Climber, max_iterations=2).settings.tuner
    monkeypatch.setattr(continuous, "_chosen_backend", lambda *_: home.backend)
    monkeypatch.setattr(job, "ContinuousTrainer", Climber)
    request = RunRequest(
        execution_id=1,
        schedule_name="nightly",
        trigger_type=TriggerType.SCHEDULED,
        scheduled_for=NOW,
        attempt=1,
        worker="tuner",
        worker_reason="a test asks for it",
        training_config=TrainingConfiguration(),
        deadline=datetime.now(UTC) + timedelta(hours=1),
        seed=7,
        settings=Settings(home=home.home, tuner=tuner),
    )
    assert job.tune(request, Context()).outcome is Outcome.SUCCEEDED
    picture = (tmp_path / PICTURE_NAME).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (640, 320)
    with closing(Ledger(home.state / "ledger.db", read_only=True)) as book:
        report = report_of(book, book.runs()[0], NOW)
    assert png(replace(report, gates=())) is None
    drawn = figure(replace(report, gates=(*report.gates, replace(report.gates[0], verdict=GateVerdict.NOT_BETTER))))
    (axes,) = drawn.axes
    assert axes.get_title() == "random, duel: 2 of 3 tests promoted"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "not promoted",
        "promoted, with its 95 % interval",
    ]
