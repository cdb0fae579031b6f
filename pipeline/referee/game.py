"""One game as a chain of callbacks: all snakes are asked at once, and the last answer of a turn plays it.

Official behaviour on errors: a snake whose answer cannot be used repeats its last valid move, at first up, and
nothing else happens to it. One difference from the official command, which notices the end one call late: the
survivors are not asked for a further move, and `/end` carries the true last turn.

A game has a fingerprint, its transcript's hash: the same wherever the same snakes play the same seed, in the arena's
process or over HTTP.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from time import perf_counter
from typing import Final, Protocol

from pipeline.referee.connection import AnswerHandler, SnakeAnswer, SnakeConnection
from pipeline.referee.game_board import Bodies, GameBoard
from pipeline.referee.outcome import Ending, Failure, GameOutcome, SnakeOutcome
from pipeline.referee.protocol import Identity, failure_detail, read_move
from pipeline.referee.schedule import MatchConditions, ScheduledGame
from schemas.outside_text import line

DEAD: Final = 4
"""Stands for the move of a snake that was dead before the turn."""
_LETTERS: Final = b"udlr-".ljust(256, b"?")


@dataclass(frozen=True, slots=True)
class SeatedSnake:
    """Who sits at a seat: a contestant with the line to its snake."""

    contestant: int
    name: str
    identity: Identity
    connection: SnakeConnection


@dataclass(slots=True)
class _Seat:
    """What a seat gathers during the game."""

    player: SeatedSnake
    reconnects_before: int
    failures: Counter[Failure] = field(default_factory=Counter)
    ignored_failures: int = 0
    first_failure: str = ""
    latencies_ms: "array[float]" = field(default_factory=lambda: array("f"))


@dataclass(frozen=True, slots=True)
class Recording:
    """What a replay keeps of a game beyond its outcome."""

    game: bytes
    """The `game` object."""
    frames: list[bytes]
    """One request body per turn from 0 on, addressed to seat 0."""
    moves: list[bytes]
    """Per turn one move number per seat; a dead snake's repeats its last."""
    snake_ids: tuple[str, ...]


DoneHandler = Callable[[GameOutcome, Recording | None], None]


class Spectator(Protocol):
    """Whoever watches a game, and may make it wait."""

    def shown(self, body: bytes, causes: Sequence[str], go_on: Callable[[], None]) -> None:
        """Take a turn, and call `go_on` now or later.

        Args:
            body: a request body of this turn up to its `you`, which is missing with the closing brace.
            causes: by seat, the rules' word for why it died; empty: it lives.
        """


class RunningGame:
    """A game under way on an event loop; `begin` it once.

    Args:
        spec, conditions: what to play.
        players: by seat. Their connections must be idle, and are idle again when `done` is called.
        done: called once with the outcome, unless the connections are closed before.
        record: whether to keep every turn for a replay.
        spectator: sees every turn before the snakes are asked; None: nobody does.

    Raises:
        GameStateError: this ruleset, map, board and number of snakes do not go together.
    """

    def __init__(
        self,
        spec: ScheduledGame,
        conditions: MatchConditions,
        players: Sequence[SeatedSnake],
        done: DoneHandler,
        *,
        record: bool,
        spectator: Spectator | None = None,
    ) -> None:
        self._spec = spec
        self._conditions = conditions
        self._most_turns = conditions.max_turns
        self._done = done
        self._spectator = spectator
        names, identities = [player.name for player in players], [player.identity for player in players]
        self._board = GameBoard(spec, conditions, names, identities)
        self._seats = [_Seat(player, player.connection.reconnects) for player in players]
        self._recording = Recording(self._board.game, [], [], self._board.snake_ids) if record else None
        self._move_handlers = [self._move_handler(number) for number in range(len(players))]
        self._lifecycle_handlers = [self._lifecycle_handler(seat) for seat in self._seats]
        self._awaited = 0
        self._next: Callable[[], None] = self._ask_moves
        self._bodies = Bodies(b"", [], [])
        self._connections = [player.connection for player in players]
        self._move_heads = [player.connection.endpoint.move_head for player in players]
        self._turns: list[bytes] = []
        self._started = perf_counter()

    def begin(self) -> None:
        """Tell every snake that the game starts; all else follows from their answers."""
        self._bodies = self._board.bodies()
        self._record_frame()
        self._next = partial(self._show, self._finish if self._board.over else self._ask_moves)
        heads = [seat.player.connection.endpoint.start_head for seat in self._seats]
        self._ask(self._bodies, heads, self._lifecycle_handlers)

    def _ask_moves(self) -> None:
        self._next = self._play_turn
        self._ask(self._bodies, self._move_heads, self._move_handlers)

    def _play_turn(self) -> None:
        board, asked = self._board, self._bodies.asked
        moves = bytes(board.moves)
        self._turns.append(moves if len(asked) == len(moves) else _with_dead(moves, asked))
        self._bodies = board.play()
        if self._recording is not None:
            self._recording.moves.append(moves)
            self._record_frame()
        go_on = self._finish if board.over or board.turn >= self._most_turns else self._ask_moves
        if self._spectator is None:
            go_on()
        else:
            self._show(go_on)

    def _show(self, go_on: Callable[[], None]) -> None:
        if self._spectator is None:
            go_on()
        else:
            causes = [self._board.death(seat)[0] for seat in range(len(self._seats))]
            self._spectator.shown(self._bodies.common, causes, go_on)

    def _finish(self) -> None:
        """Tell every snake, the dead too, that the game has ended."""
        self._next = self._report
        heads = [seat.player.connection.endpoint.end_head for seat in self._seats]
        self._ask(self._board.bodies(at_end=True), heads, self._lifecycle_handlers)

    def _ask(self, bodies: Bodies, heads: Sequence[bytes], handlers: Sequence[AnswerHandler]) -> None:
        """Ask all that have a body at once; its common part was made once for all."""
        common, own, asked = bodies
        self._awaited = len(asked)
        for number in asked:
            mine = own[number]
            length = b"%d\r\n\r\n" % (len(common) + len(mine))
            request = b"".join((heads[number], length, common, mine))
            self._connections[number].ask(request, handlers[number])

    def _record_frame(self) -> None:
        if self._recording is None:
            return
        common, own, _ = self._board.bodies(at_end=True)
        self._recording.frames.append(common + own[0])
        self._bodies = self._board.bodies()

    def _move_handler(self, number: int) -> AnswerHandler:
        seat, board = self._seats[number], self._board
        keep_latency, latencies_ms, moves = seat.latencies_ms.append, board.latencies_ms, board.moves

        def handle(answer: SnakeAnswer) -> None:
            failure, status, body, elapsed_s, detail = answer
            elapsed_ms = elapsed_s * 1000.0
            keep_latency(elapsed_ms)
            latencies_ms[number] = int(elapsed_ms)
            move = failure or read_move(status, body)
            if isinstance(move, Failure):
                seat.failures[move] += 1
                self._note(seat, f"turn {board.turn}", move, detail or failure_detail(move, status, body))
            else:
                moves[number] = move
            self._awaited -= 1
            if not self._awaited:
                self._next()

        return handle

    def _lifecycle_handler(self, seat: _Seat) -> AnswerHandler:
        def handle(answer: SnakeAnswer) -> None:
            if answer.failure is not None:
                seat.ignored_failures += 1
                self._note(seat, "start or end", answer.failure, answer.detail)
            self._awaited -= 1
            if not self._awaited:
                self._next()

        return handle

    def _note(self, seat: _Seat, when: str, failure: Failure, detail: str) -> None:
        if not seat.first_failure:
            seat.first_failure = line(f"{when}: {failure}{f' ({detail})' if detail else ''}")

    def _report(self) -> None:
        deaths = [self._board.death(number) for number in range(len(self._seats))]
        survivors = [number for number, death in enumerate(deaths) if not death[0]]
        ending = self._ending(survivors)
        snakes = tuple(
            SnakeOutcome(
                contestant=seat.player.contestant,
                cause=cause,
                killer=killer,
                died_on_turn=turn,
                length=self._board.length(number),
                failures=dict(seat.failures),
                ignored_failures=seat.ignored_failures,
                first_failure=seat.first_failure,
                reconnects=seat.player.connection.reconnects - seat.reconnects_before,
                latencies_ms=seat.latencies_ms,
            )
            for number, (seat, (cause, killer, turn)) in enumerate(zip(self._seats, deaths, strict=True))
        )
        winner = survivors[0] if ending is Ending.WON else None
        transcript = transcript_hash(self._conditions, len(self._seats), self._turns)
        elapsed_s = perf_counter() - self._started
        outcome = GameOutcome(self._spec, ending, self._board.turn, winner, snakes, elapsed_s, transcript)
        self._done(outcome, self._recording)

    def _ending(self, survivors: list[int]) -> Ending:
        if not self._board.over:
            return Ending.TURN_LIMIT
        if len(self._seats) == 1:
            return Ending.SOLO
        return Ending.WON if len(survivors) == 1 else Ending.DRAW


def _with_dead(moves: bytes, asked: list[int]) -> bytes:
    """The moves of a turn, those that were not asked marked as the dead they are."""
    return bytes(move if number in asked else DEAD for number, move in enumerate(moves))


def transcript_hash(conditions: MatchConditions, seats: int, turns: Iterable[bytes]) -> str:
    """Return the BLAKE2b-128, hexadecimal, of a game's transcript.

    The text's first line is `{width} {height} {ruleset} {map} {seats}`; then one line a turn has every seat's move as
    one letter (u, d, l, r; `-` for a snake that was dead before the turn). Every line ends with a line feed.

    Args:
        turns: per turn a byte for each seat: a move's number, or DEAD.
    """
    first = f"{conditions.width} {conditions.height} {conditions.ruleset} {conditions.map_id} {seats}".encode()
    lines = [first, *(moves.translate(_LETTERS) for moves in turns), b""]
    return blake2b(b"\n".join(lines), digest_size=16).hexdigest()
