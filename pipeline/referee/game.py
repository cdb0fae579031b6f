"""One game as a chain of callbacks: all snakes are asked at once, and the last answer of a turn plays it.

Official behaviour on errors: a snake whose answer cannot be used repeats its last valid move, at first up, and
nothing else happens to it. One difference from the official command, which notices the end one call late: the
survivors are not asked for a further move, and `/end` carries the true last turn.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from pipeline.referee.arena import Arena
from pipeline.referee.conditions import Conditions
from pipeline.referee.connection import Answer, SnakeConnection
from pipeline.referee.outcome import Ending, Failure, GameOutcome, SnakeOutcome
from pipeline.referee.protocol import UP, BodyText, Identity, SnakeText, failure_detail, game_object, read_move
from pipeline.referee.schedule import GameSpec
from pipeline.referee.transcript import transcript_hash
from schemas.outside_text import line


@dataclass(frozen=True, slots=True)
class Player:
    """Who sits at a seat: a contestant with the line to its snake."""

    contestant: int
    name: str
    identity: Identity
    connection: SnakeConnection


@dataclass(slots=True)
class _Seat:
    """What a seat gathers during the game."""

    player: Player
    text: SnakeText
    reconnects_before: int
    last_move: int = UP
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


class RunningGame:
    """A game under way on an event loop; `begin` it once.

    Args:
        spec, conditions: what to play.
        players: by seat. Their connections must be idle, and are idle again when `done` is called.
        done: called once with the outcome, unless the connections are closed before.
        record: whether to keep every turn for a replay.

    Raises:
        GameStateError: this ruleset, map, board and number of snakes do not go together.
    """

    def __init__(
        self, spec: GameSpec, conditions: Conditions, players: Sequence[Player], done: DoneHandler, *, record: bool
    ) -> None:
        self._spec = spec
        self._conditions = conditions
        self._done = done
        self._arena = Arena(spec, conditions)
        ids = tuple(spec.snake_id(seat) for seat in range(len(players)))
        texts = [SnakeText(ids[seat], player.name, player.identity) for seat, player in enumerate(players)]
        self._seats = [
            _Seat(player, text, player.connection.reconnects) for player, text in zip(players, texts, strict=True)
        ]
        game = game_object(spec.game_id, conditions)
        self._bodies = BodyText(game, conditions, texts)
        self._recording = Recording(game, [], [], ids) if record else None
        self._move_handlers = [self._move_handler(seat) for seat in self._seats]
        self._lifecycle_handlers = [self._lifecycle_handler(seat) for seat in self._seats]
        self._awaited = 0
        self._next: Callable[[], None] = self._ask_moves
        self._segments: list[memoryview] = []
        self._turns: list[list[int | None]] = []
        self._started = perf_counter()

    def begin(self) -> None:
        """Tell every snake that the game starts; all else follows from their answers."""
        self._segments = self._arena.segments()
        self._record_frame()
        self._next = self._finish if self._arena.over else self._ask_moves
        common = self._bodies.common(0, range(len(self._seats)), self._segments)
        self._awaited = len(self._seats)
        for number, seat in enumerate(self._seats):
            connection = seat.player.connection
            body = common + self._bodies.you(number, self._segments[number])
            connection.ask(_request(connection.endpoint.start_head, body), self._lifecycle_handlers[number])

    def _ask_moves(self) -> None:
        segments = self._segments
        living = [number for number in range(len(self._seats)) if segments[number]]
        common = self._bodies.common(self._arena.turn, living, segments)
        self._awaited = len(living)
        self._next = self._play_turn
        for number in living:
            connection = self._seats[number].player.connection
            body = common + self._bodies.you(number, segments[number])
            connection.ask(_request(connection.endpoint.move_head, body), self._move_handlers[number])

    def _play_turn(self) -> None:
        moves = [seat.last_move for seat in self._seats]
        # Only the living have a segment.
        self._turns.append([move if self._segments[number] else None for number, move in enumerate(moves)])
        self._segments = self._arena.play(moves)
        if self._recording is not None:
            self._recording.moves.append(bytes(moves))
            self._record_frame()
        if self._arena.over or self._arena.turn >= self._conditions.max_turns:
            self._finish()
        else:
            self._ask_moves()

    def _finish(self) -> None:
        """Tell every snake, the dead too, that the game has ended."""
        segments = self._arena.segments(dead_too=True)
        living = [number for number in range(len(self._seats)) if not self._arena.death(number)[0]]
        common = self._bodies.common(self._arena.turn, living, segments)
        self._awaited = len(self._seats)
        self._next = self._report
        for number, seat in enumerate(self._seats):
            connection = seat.player.connection
            body = common + self._bodies.you(number, segments[number], seat.text.latency)
            connection.ask(_request(connection.endpoint.end_head, body), self._lifecycle_handlers[number])

    def _record_frame(self) -> None:
        recording = self._recording
        if recording is None:
            return
        segments = self._arena.segments(dead_too=True)
        living = [number for number in range(len(self._seats)) if not self._arena.death(number)[0]]
        common = self._bodies.common(self._arena.turn, living, segments)
        recording.frames.append(common + self._bodies.you(0, segments[0], self._seats[0].text.latency))
        self._segments = self._arena.segments()

    def _move_handler(self, seat: _Seat) -> Callable[[Answer], None]:
        latencies_ms, text = seat.latencies_ms, seat.text

        def handle(answer: Answer) -> None:
            failure, status, body, elapsed_s, detail = answer
            elapsed_ms = elapsed_s * 1000.0
            latencies_ms.append(elapsed_ms)
            text.latency = b"%d" % elapsed_ms
            move = failure or read_move(status, body)
            if isinstance(move, Failure):
                seat.failures[move] += 1
                self._note(seat, f"turn {self._arena.turn}", move, detail or failure_detail(move, status, body))
            else:
                seat.last_move = move
            self._arrived()

        return handle

    def _lifecycle_handler(self, seat: _Seat) -> Callable[[Answer], None]:
        def handle(answer: Answer) -> None:
            if answer.failure is not None:
                seat.ignored_failures += 1
                self._note(seat, "start or end", answer.failure, answer.detail)
            self._arrived()

        return handle

    def _note(self, seat: _Seat, when: str, failure: Failure, detail: str) -> None:
        if not seat.first_failure:
            seat.first_failure = line(f"{when}: {failure}{f' ({detail})' if detail else ''}")

    def _arrived(self) -> None:
        self._awaited -= 1
        if self._awaited == 0:
            self._next()

    def _report(self) -> None:
        deaths = [self._arena.death(number) for number in range(len(self._seats))]
        survivors = [number for number, death in enumerate(deaths) if not death[0]]
        ending = self._ending(survivors)
        snakes = tuple(
            SnakeOutcome(
                contestant=seat.player.contestant,
                cause=cause,
                killer=killer,
                died_on_turn=turn,
                length=self._arena.length(number),
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
        outcome = GameOutcome(self._spec, ending, self._arena.turn, winner, snakes, elapsed_s, transcript)
        self._done(outcome, self._recording)

    def _ending(self, survivors: list[int]) -> Ending:
        if not self._arena.over:
            return Ending.TURN_LIMIT
        if len(self._seats) == 1:
            return Ending.SOLO
        return Ending.WON if len(survivors) == 1 else Ending.DRAW


def _request(head: bytes, body: bytes) -> bytes:
    return b"%b%d\r\n\r\n%b" % (head, len(body), body)
