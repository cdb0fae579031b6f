"""A /move request as the engine's position: what the network is shown, and what the heuristic plays."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.engine import layout
from pipeline.engine.game_spec import RuleSettings, rules_bits
from pipeline.engine.map_names import MAPS
from pipeline.engine.observe import Observations, Observer, allocate_observations
from pipeline.engine.planes import FEATURES, FRAME
from pipeline.engine.players.choose import choose_moves
from pipeline.engine.players.kinds import STRONG
from pipeline.engine.players.mind import make_mind
from pipeline.engine.seats import CALLER
from pipeline.engine.state import load_state, write_header
from pipeline.engine.state_checks import CheckedState, read_state
from schemas.errors import GameStateError

_OPEN: Final = [slot.name for slot in FEATURES].index("open_up")
_DEAD: Final = "snake-collision"
_MOST_SESSIONS: Final = 16
_STANDARD: Final = "standard"


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """One snake's position, checked, as the engine can hold it."""

    game_id: str
    turn: int
    timeout_ms: int
    ruleset: str
    """As the request names it; one the engine does not know is played as standard."""
    seats: int
    """Snakes that began the game."""
    seat: int
    """Whose move is asked for."""
    rules: int
    map_number: int
    settings: RuleSettings
    state: CheckedState

    @property
    def fits(self) -> bool:
        """Whether the board fits the contract's frame."""
        return max(self.state.width, self.state.height) <= FRAME


def read_move_request(request: Mapping[str, Any], seats: int) -> MoveRequest:
    """Return what a /move request asks. `seats`: how many snakes began the game, which a request does not tell.

    The dead, whom a request leaves out too, are put behind the living: they are nowhere on the board.

    Raises:
        GameStateError: what is shown breaks the rules' invariants, or `you` is not on the board.
        KeyError, TypeError, AttributeError: a field is missing or of another kind.
    """
    board, game = request["board"], request["game"]
    ruleset = game["ruleset"]
    name = ruleset["name"]
    rules = rules_bits(name if name in layout.RULESETS else _STANDARD, seats < 2)
    snakes = [
        {"id": s["id"], "health": s["health"], "body": [(c["x"], c["y"]) for c in s["body"]]} for s in board["snakes"]
    ]
    ids = [snake["id"] for snake in snakes]
    if request["you"]["id"] not in ids:
        raise GameStateError("the snake asked for is not on the board", where="you.id", remedy="Ask for a living one.")
    seats = min(max(seats, len(snakes)), layout.MAX_SNAKES)
    dead = [{"id": f"\0{index}", "health": 0, "body": [], "cause": _DEAD} for index in range(seats - len(snakes))]
    state = {
        "turn": request["turn"],
        "width": board["width"],
        "height": board["height"],
        "food": [(c["x"], c["y"]) for c in board["food"]],
        "hazards": [(c["x"], c["y"]) for c in board["hazards"]],
        "snakes": snakes + dead,
    }
    limits = MAPS.get(game.get("map") or _STANDARD, MAPS[_STANDARD])
    return MoveRequest(
        game_id=game["id"],
        turn=request["turn"],
        timeout_ms=game.get("timeout") or 500,
        ruleset=name,
        seats=seats,
        seat=ids.index(request["you"]["id"]),
        rules=rules,
        map_number=limits.number,
        settings=_settings(ruleset.get("settings") or {}),
        state=read_state(state, rules),
    )


def _settings(given: Mapping[str, Any]) -> RuleSettings:
    return RuleSettings(
        damagePerTurn=int(given.get("hazardDamagePerTurn", 14)),
        foodSpawnChance=int(given.get("foodSpawnChance", 15)),
        minimumFood=int(given.get("minimumFood", 1)),
        shrinkEveryNTurns=max(int((given.get("royale") or {}).get("shrinkEveryNTurns", 25)), 1),
    )


class EncoderSession:
    """The memory for positions of one kind of board, used again for each: use it from one thread."""

    def __init__(self, asked: MoveRequest) -> None:
        """Make a session for boards like this request's (width, height, wrapped)."""
        size = (asked.state.width, asked.state.height)
        self._records: Final = layout.allocate(1, [(*size, layout.MAX_SNAKES)], corpses=False)
        self._kinds: Final = np.full(layout.MAX_SNAKES, CALLER, np.uint8)
        self._moves: Final = np.zeros(layout.MAX_SNAKES, np.uint8)
        self._mind: Final = make_mind()
        self._game: Final = np.zeros(1, np.int64)
        self._load(asked)
        self._observer: Final = Observer(self._records) if asked.fits else None

    def observe(self, asked: MoveRequest) -> Observations:
        """Return the position as one new uint8 row, seen as the board lies.

        Raises:
            GameStateError: the board does not fit the frame.
        """
        if self._observer is None:
            raise GameStateError(f"the board does not fit {FRAME}x{FRAME}", where="board.width, board.height")
        self._load(asked)
        rows = allocate_observations(1)
        self._observer.observe(self._game, np.array([asked.seat], np.int64), rows)
        return rows

    def heuristic_move(self, asked: MoveRequest) -> int:
        """Return the move of the player `strong`."""
        self._load(asked)
        self._kinds[:] = CALLER
        self._kinds[asked.seat] = STRONG
        choose_moves(self._mind, self._records.game(0), self._kinds, self._moves)
        return int(self._moves[asked.seat])

    def _load(self, asked: MoveRequest) -> None:
        state = asked.state
        size = (state.width, state.height, len(state.snakes))
        write_header(self._records, 0, size, asked.rules, asked.map_number, asked.settings)
        load_state(self._records, 0, state)


class EncoderSessions:
    """A session for every kind of board met of late; use it from one thread."""

    def __init__(self) -> None:
        self._sessions: Final[OrderedDict[tuple[int, int, int], EncoderSession]] = OrderedDict()

    def session_for(self, asked: MoveRequest) -> EncoderSession:
        """Return the session for this request's board, making it if need be."""
        key = (asked.state.width, asked.state.height, asked.rules & layout.WRAPPED)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions[key] = EncoderSession(asked)
            if len(self._sessions) > _MOST_SESSIONS:
                self._sessions.popitem(last=False)
        self._sessions.move_to_end(key)
        return session


def legal_moves(rows: Observations) -> NDArray[np.bool_]:
    """Return bool[M, 4]: the moves that neither wall nor staying body forbids; all where there is none."""
    masks = rows.features[:, _OPEN : _OPEN + 4] > 0
    return np.logical_or(masks, ~masks.any(1, keepdims=True))
