"""What is played: the network's best legal move, or the heuristic's where the network cannot be asked in time."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Final

import numpy as np

from pipeline.engine.layout import MOVE_WORDS, UP
from pipeline.engine.observe import Observations, allocate_observations
from pipeline.serve.onnx_model import Evaluated, OnnxModel, best_moves
from pipeline.serve.request_decoding import EncoderSessions, MoveRequest, legal_moves, read_move_request
from schemas.errors import GameStateError
from schemas.game import GameLogThought

MARGIN_MS: Final = 100
"""What of a game's time-out is kept for the way to the game server and back."""
_WARM_ROUNDS: Final = 20
_STEPS: Final = ((0, 1), (0, -1), (-1, 0), (1, 0))


@dataclass(frozen=True, slots=True)
class ChosenMove:
    """A move, 0..3, and where it came from."""

    move: int
    asked: MoveRequest | None
    """None: the engine cannot hold the position."""
    rows: Observations | None
    """What the network was shown; None where the board does not fit it."""
    said: Evaluated | None
    """What the network said; None: it was not asked, or not in time."""
    why_not: str = ""
    """Why the network's move was not taken."""
    broken: bool = False
    """Whether that is a fault of ours: the network failed."""


class PolicyWithFallback:
    """Decides for one server: positions are read on the loop's thread, the network runs on one of its own."""

    def __init__(self, model: OnnxModel, margin_ms: int = MARGIN_MS) -> None:
        self._model: Final = model
        self._margin_s: Final = margin_ms / 1000
        self._sessions: Final = EncoderSessions()
        self._executor: Final = ThreadPoolExecutor(1, thread_name_prefix="network")

    async def decide(self, request: Mapping[str, Any], seats: int, arrived_s: float) -> ChosenMove:
        """Return the move for a /move request that arrived at `arrived_s` on the loop's clock.

        Raises:
            KeyError, TypeError, AttributeError: a field is missing or of another kind.
        """
        try:
            asked = read_move_request(request, seats)
            rows = self._sessions.session_for(asked).observe(asked) if asked.fits else None
        except GameStateError as error:
            return ChosenMove(fallback_move(request), None, None, None, str(error))
        why_not = self._unknown(asked)
        if rows is None or why_not:
            return self._play_heuristic(asked, rows, why_not)
        try:
            async with asyncio.timeout_at(arrived_s + self._budget_s(asked.timeout_ms)):
                said = await asyncio.wrap_future(self._executor.submit(self._model.look, rows))
        except TimeoutError:
            return self._play_heuristic(asked, rows, "the network did not answer in time")
        except Exception as error:  # noqa: BLE001 - whatever becomes of the network, the game wants a move
            why_not = f"the network failed: {type(error).__name__}: {error}"
            return replace(self._play_heuristic(asked, rows, why_not), broken=True)
        return ChosenMove(int(best_moves(said.policy_logits, legal_moves(rows))[0]), asked, rows, said)

    def warm_up(self, request: Mapping[str, Any]) -> None:
        """Load or compile everything that `decide` runs through, so that the first game need not wait for it."""
        asked = read_move_request(request, 2)
        session = self._sessions.session_for(asked)
        rows = session.observe(asked)
        session.heuristic_move(asked)
        best_moves(self._model.look(rows).policy_logits, legal_moves(rows))
        for _ in range(_WARM_ROUNDS):
            self._executor.submit(self._model.look, allocate_observations(1)).result()

    def close(self) -> None:
        """End the network's thread once it is through with what it does."""
        self._executor.shutdown(cancel_futures=True)

    def _unknown(self, asked: MoveRequest) -> str:
        known = self._model.contract
        if not asked.fits:
            return f"a board of {asked.state.width}x{asked.state.height} does not fit the network"
        if asked.ruleset not in known.rulesets:
            return f"the network was not trained for the ruleset {asked.ruleset!r}"
        if asked.seats > known.most_snakes:
            return f"the network was trained for at most {known.most_snakes} snakes, not {asked.seats}"
        return ""

    def _play_heuristic(self, asked: MoveRequest, rows: Observations | None, why_not: str) -> ChosenMove:
        move = self._sessions.session_for(asked).heuristic_move(asked)
        return ChosenMove(move, asked, rows, None, why_not)

    def _budget_s(self, timeout_ms: int) -> float:
        """Time for the network: the time-out less the margin, but half of it where the margin is more."""
        timeout_s = timeout_ms / 1000
        return max(timeout_s - self._margin_s, timeout_s / 2)


def warming_request() -> dict[str, Any]:
    """Return a duel on 11x11 with more than one answer."""
    bodies = {name: [{"x": x, "y": y} for y in (5, 4, 3)] for name, x in (("a", 1), ("b", 9))}
    snakes = [{"id": name, "name": name, "health": 90, "body": body} for name, body in bodies.items()]
    board = {"width": 11, "height": 11, "food": [{"x": 5, "y": 5}], "hazards": [], "snakes": snakes}
    return {"game": {"id": "", "ruleset": {"name": "standard"}}, "turn": 5, "board": board, "you": snakes[0]}


def thought_of(decision: ChosenMove, took_s: float) -> GameLogThought | None:
    """Return what the network said of a position, for the game's log; None: it was not asked, or not in time."""
    logits = logits_of(decision.said)
    if logits is None or decision.said is None or not all(map(isfinite, logits)):
        return None
    ranked = sorted(range(4), key=lambda move: (move != decision.move, -logits[move]))
    moves = [(MOVE_WORDS[move], round(logits[move], 3)) for move in ranked]
    value = round(float(np.nan_to_num(decision.said.value[0, 0])), 3)
    return GameLogThought(m=MOVE_WORDS[decision.move], v=value, d=0, n=1, ms=round(took_s * 1000, 1), s=moves)


def logits_of(said: Evaluated | None) -> list[float] | None:
    """Return a single row's logits as plain numbers."""
    return None if said is None else [float(x) for x in np.asarray(said.policy_logits[0])]


def fallback_move(request: Mapping[str, Any]) -> int:
    """Return the move to the free neighbour with the most free neighbours of its own, the first of equals.

    Free is what is on the board and in no body, tails counted as staying; up if nothing is free.

    Raises:
        KeyError, TypeError: a field is missing or of another kind.
    """
    board = request["board"]
    width, height = int(board["width"]), int(board["height"])
    taken = {(c["x"], c["y"]) for snake in board["snakes"] for c in snake["body"]}
    head = request["you"]["body"][0]

    def free(x: int, y: int) -> bool:
        return 0 <= x < width and 0 <= y < height and (x, y) not in taken

    best, most = UP, -1
    for move in range(len(MOVE_WORDS)):
        x, y = head["x"] + _STEPS[move][0], head["y"] + _STEPS[move][1]
        exits = sum(free(x + dx, y + dy) for dx, dy in _STEPS)
        if free(x, y) and exits > most:
            best, most = move, exits
    return best
