"""What a challenger would have played: written down after the answer, never in its way, reported with an interval."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from battlesnake_requests import ME, OTHER, request, snake

from pipeline.serve import shadow as shadow_module
from pipeline.serve.onnx_model import OnnxModel
from pipeline.serve.policy import ChosenMove
from pipeline.serve.request_decoding import EncoderSessions, read_move_request
from pipeline.serve.shadow import Shadow
from pipeline.serve.shadow_report import agreement, report_shadows
from schemas.errors import DataError

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class HeldModel(OnnxModel):
    """Answers only once it is let go."""

    def __init__(self, path):
        super().__init__(path)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def look(self, rows):
        self.asked.set()
        self.let_go.wait(60)
        return super().look(rows)


def decision_on(model, asked, move):
    asked = read_move_request(asked, 2)
    rows = EncoderSessions().session_for(asked).observe(asked)
    return ChosenMove(move, asked, rows, model.look(rows))


def start(challenger, folder):
    return Shadow(challenger, folder, champion_id="right-1", now=lambda: NOW, complain=pytest.fail)


def test_both_answers_are_written_and_reported(model_file, challenger_file, tmp_path):
    champion = OnnxModel(model_file)
    shadow = start(OnnxModel(challenger_file), tmp_path)
    blocked = snake("me", [(10, 10), (10, 9), (10, 8)])  # only left is open: both play it
    for game, body in (("g-1", ME), ("g-1", blocked), ("g-2", ME)):
        move = 3 if body is ME else 2
        shadow.offer(decision_on(champion, request([body, OTHER], game=game), move))
    shadow.offer(ChosenMove(0, None, None, None, "no such board"))
    assert shadow.close(60).startswith("shadow up-1: asked about 3 positions, agreed on 33.3%; 0 dropped")
    (report,) = report_shadows(tmp_path)
    assert (report.champion, report.challenger) == ("right-1", "up-1")
    assert (report.games, report.positions, report.dropped, report.heuristic_positions) == (2, 3, 0, 0)
    assert report.agreement == pytest.approx(1 / 3)
    assert report.low < 1 / 3 < report.high
    first = (tmp_path / "up-1-20260301.shadow.jsonl").read_text().splitlines()[0]
    assert '"played":"right","shadow":"up","agree":false' in first
    assert '"played_logits":[3.0,0.0,2.0,4.0]' in first
    assert '"shadow_logits":[4.0,0.0,2.0,3.0]' in first


def test_what_is_too_much_is_dropped_counted_and_told(model_file, challenger_file, tmp_path, monkeypatch):
    monkeypatch.setattr(shadow_module, "MOST_WAITING", 2)
    held = HeldModel(challenger_file)
    shadow = start(held, tmp_path)
    decision = decision_on(OnnxModel(model_file), request([ME, OTHER]), 3)
    shadow.offer(decision)
    assert held.asked.wait(60)
    for _ in range(5):
        shadow.offer(decision)  # comes back at once, though the challenger does not
    assert shadow.dropped == 3
    held.let_go.set()
    assert "asked about 3 positions" in shadow.close(60)
    (report,) = report_shadows(tmp_path)
    assert (report.positions, report.dropped) == (3, 3)


def test_the_heuristics_answers_are_told_apart(model_file, challenger_file, tmp_path):
    shadow = start(OnnxModel(challenger_file), tmp_path)
    shadow.offer(replace(decision_on(OnnxModel(model_file), request([ME, OTHER]), 0), said=None))
    shadow.close(60)
    assert report_shadows(tmp_path)[0].heuristic_positions == 1


def test_no_moves_are_no_report(tmp_path):
    with pytest.raises(DataError, match="no shadow moves"):
        report_shadows(tmp_path)


def test_lines_that_cannot_be_read_are_counted(model_file, challenger_file, tmp_path):
    shadow = start(OnnxModel(challenger_file), tmp_path)
    shadow.offer(decision_on(OnnxModel(model_file), request([ME, OTHER]), 3))
    shadow.close(60)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes() + b'{"torn"')
    assert report_shadows(tmp_path)[0].unreadable_lines == 1


def test_positions_of_one_game_count_as_dependent():
    alike = agreement([(50, 100)] * 20)
    apart = agreement([(100, 100)] * 10 + [(0, 100)] * 10)
    assert alike[0] == apart[0] == 0.5
    assert alike[2] - alike[1] == pytest.approx(0.0438, abs=2e-3), "2000 independent positions"
    assert apart[2] - apart[1] > 0.35, "20 games that agree wholly or not at all"
    one = agreement([(99, 100)])
    assert one[2] - one[1] > 0.7, "one game tells next to nothing"
