"""Whose move is played: the network's, or the heuristic's where the network does not know the game or is too slow."""

import asyncio
import threading

import pytest
from battlesnake_requests import ME, OTHER, request, snake
from made_model import make_model, prefers

from pipeline.serve.onnx_model import OnnxModel
from pipeline.serve.policy import PolicyWithFallback

RIGHT, HEURISTIC = 3, None


def decide(model, asked, seats=2):
    decider = PolicyWithFallback(model)

    async def run():
        return await decider.decide(asked, seats, asyncio.get_running_loop().time())

    try:
        return asyncio.run(run())
    finally:
        decider.close()


def test_the_network_decides_what_it_knows(model_file):
    decision = decide(OnnxModel(model_file), request([ME, OTHER]))
    assert (decision.move, decision.why_not) == (RIGHT, "")
    assert decision.said is not None and decision.said.policy_logits.tolist() == [[3, 0, 2, 4]]


def test_an_illegal_move_is_not_played_however_high_its_logit(model_file):
    at_wall = snake("me", [(10, 5), (10, 4), (10, 3)])
    assert decide(OnnxModel(model_file), request([at_wall, OTHER])).move == 0


@pytest.mark.parametrize(
    ("asked", "seats", "why"),
    [
        (request([ME, OTHER], ruleset="wrapped"), 2, "not trained for the ruleset 'wrapped'"),
        (request([ME, OTHER], ruleset="of tomorrow"), 2, "not trained for the ruleset 'of tomorrow'"),
        (request([ME, OTHER]), 5, "at most 4 snakes, not 5"),
        (request([ME, OTHER], size=(19, 19)), 2, "a board of 19x19 does not fit"),
        (request([ME, OTHER], size=(30, 30)), 2, "30 is not within"),
        (request([snake("me", [(5, 5), (7, 7)]), OTHER]), 2, "not next to"),
    ],
)
def test_what_the_network_does_not_know_is_answered_all_the_same(model_file, asked, seats, why):
    decision = decide(OnnxModel(model_file), asked, seats)
    assert why in decision.why_not
    assert decision.said is None
    assert decision.move in (0, 2, 3), "not down, where the neck is"


def test_a_model_may_know_more(tmp_path):
    known = {"rulesets": ["standard", "wrapped"], "most_snakes": 8}
    model = OnnxModel(make_model(tmp_path / "m.onnx", "more", prefers("right", "up", "left", "down"), **known))
    assert decide(model, request([ME, OTHER], ruleset="wrapped"), 8).why_not == ""


class StuckModel(OnnxModel):
    """A model whose network does not come back until it is let go."""

    let_go = threading.Event()

    def look(self, rows):
        self.let_go.wait(60)
        return super().look(rows)


class BrokenModel(OnnxModel):
    """A model whose network fails."""

    def look(self, rows):
        raise RuntimeError("no memory")


def test_a_network_that_fails_costs_no_move(model_file):
    decision = decide(BrokenModel(model_file), request([ME, OTHER]))
    assert decision.move in (0, 2, 3) and decision.broken
    assert decision.why_not == "the network failed: RuntimeError: no memory"


def test_a_network_that_is_too_slow_is_not_waited_for(model_file):
    stuck = StuckModel(model_file)
    decider = PolicyWithFallback(stuck, margin_ms=100)

    async def run():
        now = asyncio.get_running_loop().time()
        first, second = await asyncio.gather(
            decider.decide(request([ME, OTHER], timeout=150), 2, now),
            decider.decide(request([ME, OTHER], timeout=150), 2, now),
        )
        stuck.let_go.set()
        third = await decider.decide(request([ME, OTHER]), 2, asyncio.get_running_loop().time())
        return first, second, third

    first, second, third = asyncio.run(run())
    decider.close()
    for decision in (first, second):
        assert decision.why_not == "the network did not answer in time"
        assert decision.move in (0, 2, 3)
    assert (third.why_not, third.move) == ("", RIGHT)


def test_a_request_without_its_fields_is_an_error(model_file):
    with pytest.raises(KeyError):
        decide(OnnxModel(model_file), {"turn": 1})
