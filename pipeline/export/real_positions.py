"""Real positions to compare and calibrate models on: heuristics' games, duels and fours, kinds mixed."""

import base64
import gzip
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.batch import Batch
from pipeline.engine.game_spec import CLI_DEFAULTS, GameSpec
from pipeline.engine.layout import MOVE_WORDS
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import ENCODER_ID
from pipeline.engine.players.choose import choose_in_batch
from pipeline.engine.players.kinds import AGGRESSIVE, HUNGRY, STRONG, TAIL_CHASER, VORONOI
from pipeline.engine.players.mind import make_mind
from pipeline.serve.onnx_model import OnnxModel, best_moves
from pipeline.serve.request_decoding import EncoderSessions, legal_moves, read_move_request

_KINDS: Final = np.array([STRONG, VORONOI, AGGRESSIVE, TAIL_CHASER, HUNGRY], np.uint8)
_GAMES: Final = 64
_EVERY: Final = 7
"""Turns between two looks: positions of neighbouring turns are nearly the same."""
_TIMEOUT_MS: Final = 500


def real_positions(count: int, seed: int) -> Observations:
    """Return the uint8 observations of `count` snakes' positions; the same for the same arguments."""
    parts: list[tuple[NDArray[np.uint8], ...]] = []
    missing = count
    for batch in played_batches(seed):
        observer = Observer(batch.records)
        games, snakes = observer.living()
        rows = allocate_observations(len(games))
        observer.observe(games, snakes, rows)
        parts.append(tuple(array[:missing] for array in rows))
        missing -= len(parts[-1][0])
        if missing <= 0:
            break
    return Observations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def played_batches(seed: int) -> Iterator[Batch]:
    """Yield batches of games under way, for ever: half duels, half fours, each look some turns after the last."""
    chance = np.random.default_rng(seed)
    specs = [GameSpec(snakes=2)] * (_GAMES // 2) + [GameSpec(snakes=4)] * (_GAMES // 2)
    batch = Batch(specs)
    batch.reset(chance.integers(-(2**63), 2**63, len(specs), dtype=np.int64))
    mind = make_mind()
    kinds = chance.choice(_KINDS, batch.actions.shape)
    for turn in range(2**31):
        if turn % _EVERY == 0:
            yield batch
        choose_in_batch(mind, batch.records, kinds, batch.actions)
        batch.step()
        finished = batch.drain_outcomes().slot
        kinds[finished] = chance.choice(_KINDS, (len(finished), kinds.shape[1]))


def living_seats(batch: Batch, slot: int) -> list[int]:
    """Return the seats of a slot's living snakes."""
    fields = batch.records.fields[slot]
    causes = [fields[layout.HEADER + s * layout.SNAKE_FIELDS + layout.CAUSE] for s in range(fields[layout.SNAKES])]
    return [seat for seat, cause in enumerate(causes) if cause == layout.ALIVE_CAUSE]


class RealRequest(NamedTuple):
    """A /move request, and how many snakes began its game (which a request does not tell)."""

    request: dict[str, Any]
    seats: int


def real_requests(count: int, seed: int) -> Iterator[RealRequest]:
    """Yield `count` requests for positions of heuristics' games, one snake of each board; as `real_positions`."""
    made = 0
    chance = np.random.default_rng(seed)
    for look, batch in enumerate(played_batches(seed)):
        for slot in range(batch.games):
            if made == count:
                return
            seats = living_seats(batch, slot)
            if seats:
                yield _request(batch, slot, int(chance.choice(seats)), f"{seed}-{look}-{slot}")
                made += 1


def _request(batch: Batch, slot: int, seat: int, game_id: str) -> RealRequest:
    state = batch.state_of(slot)
    snakes = [_snake(snake) for snake in state["snakes"] if not snake.get("cause")]
    game = {
        "id": game_id,
        "ruleset": {"name": "standard", "version": "cli", "settings": _settings()},
        "map": "standard",
        "timeout": _TIMEOUT_MS,
        "source": "",
    }
    board = {
        "height": state["height"],
        "width": state["width"],
        "snakes": snakes,
        "food": [_cell(cell) for cell in state["food"]],
        "hazards": [_cell(cell) for cell in state["hazards"]],
    }
    you = next(snake for snake in snakes if snake["id"] == f"s{seat}")
    return RealRequest({"game": game, "turn": state["turn"], "board": board, "you": you}, len(state["snakes"]))


def _settings() -> dict[str, Any]:
    numbers = CLI_DEFAULTS
    return {
        "foodSpawnChance": numbers.foodSpawnChance,
        "minimumFood": numbers.minimumFood,
        "hazardDamagePerTurn": numbers.damagePerTurn,
        "royale": {"shrinkEveryNTurns": numbers.shrinkEveryNTurns},
    }


def _snake(snake: Mapping[str, Any]) -> dict[str, Any]:
    body = [_cell(cell) for cell in snake["body"]]
    plain = {"id": snake["id"], "name": snake["id"], "latency": "0", "health": snake["health"], "body": body}
    return {**plain, "head": body[0], "length": len(body), "shout": "", "squad": ""}


def _cell(cell: list[int]) -> dict[str, int]:
    return {"x": cell[0], "y": cell[1]}


def golden_positions(model: OnnxModel, count: int, seed: int) -> bytes:
    """Return gzipped JSON lines: what an equal server must see and say on `count` real positions.

    First line: `encoder_id`, `model_id`, `seed`. Each further line is a /move request with `seats` (snakes that began
    the game) and `golden`: `planes`, `features`, `context` (uint8, base64), `legal` (up, down, left, right), `logits`,
    `value` (float32 of this file by onnxruntime) and `move`.
    """
    sessions = EncoderSessions()
    head = {"encoder_id": ENCODER_ID, "model_id": model.contract.model_id, "seed": seed}
    lines = [orjson.dumps(head)]
    for request, seats in real_requests(count, seed):
        asked = read_move_request(request, seats)
        rows = sessions.session_for(asked).observe(asked)
        said, legal = model.look(rows), legal_moves(rows)
        golden = {
            "planes": base64.b64encode(rows.planes.tobytes()).decode(),
            "features": base64.b64encode(rows.features.tobytes()).decode(),
            "context": base64.b64encode(rows.context.tobytes()).decode(),
            "legal": legal[0].tolist(),
            "logits": [float(number) for number in said.policy_logits[0]],
            "value": float(said.value[0, 0]),
            "move": MOVE_WORDS[int(best_moves(said.policy_logits, legal)[0])],
        }
        lines.append(orjson.dumps({**request, "seats": seats, "golden": golden}))
    return gzip.compress(b"\n".join(lines) + b"\n", 9, mtime=0)
