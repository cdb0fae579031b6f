"""The backend for a Go snake that links our arena: its program plays its own games, many weights in one process.

What its arena does not play (another snake, an unknown map) goes over HTTP, and so does all the rest should the
program end by itself.
"""

import shutil
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import ValidationError

from pipeline.live_games import ToldGames
from pipeline.referee.schedule import MatchConditions
from pipeline.snake_builder import SnakeBuilder, links_arena
from pipeline.tuner.backends import Backend, GameOrder, PlayedGame
from pipeline.tuner.backends.arena_link import ArenaLink, Hello, Message, open_link
from pipeline.tuner.backends.running_snakes import played_text, scratch_folder
from pipeline.tuner.backends.shown import about, names
from pipeline.tuner.jobs import GameResult, JobFailure, SourceKind
from schemas.errors import SnakeError
from schemas.game import GameLogFrame
from schemas.tuning import TunerSettings

GAMES_PER_WORKER = 4
"""Games sent ahead for each that is really played: no worker waits for us."""
WEIGHTS_HELD = 512
"""Half of what an arena holds at most."""
SILENT_S = 1800.0
"""An arena that has games and tells of none for so long hangs: in reading weights, say, which has no time-out."""
_POLL_S = 0.05


class InProcessBackend:
    """See the module's text; `open_inprocess` makes it.

    Args:
        open_http: makes the backend for what the arena does not play; called when it is first needed.
        scratch: removed at the end.
        live: where a game is told while it is played; None: nowhere.
    """

    name = "inprocess"

    def __init__(
        self,
        link: ArenaLink,
        hello: Hello,
        open_http: Callable[[str], Backend],
        scratch: Path,
        live: ToldGames | None = None,
        most: int | None = None,
    ) -> None:
        self._link, self._hello, self._open_http, self._scratch = link, hello, open_http, scratch
        self._live = live if hello.watch else None
        self._asked_to_watch = False
        self._http: Backend | None = None
        self._orders: dict[str, GameOrder] = {}
        """Games that the arena has, by the id that it knows them by."""
        self._held: OrderedDict[str, None] = OrderedDict()
        """Ids of the weights that it has, the last used last."""
        self._refused: dict[str, str] = {}
        """Weights that the snake refuses, by id, with its words."""
        self._told: set[str] = set()
        """Jobs told as failures."""
        self._ended: list[PlayedGame] = []
        self._heard_s = monotonic()
        games = GAMES_PER_WORKER * hello.workers
        self.capacity = games if most is None else min(most, games)
        self.notice = (
            f"Games are played inside the snake's own process, {min(hello.workers, self.capacity)} at once; over HTTP "
            "the same games would take about twice the processor time."
        )

    def begin(self, orders: Sequence[GameOrder]) -> None:
        """See `Backend.begin`."""
        self._ask_to_watch()  # before the games: the one that begins first is the one to be told
        if not self._orders:
            self._heard_s = monotonic()
        for order in orders:
            if self._plays(order):
                self._send(order)
            else:
                self._over_http("", [order])

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        """See `Backend.finished`."""
        deadline = monotonic() + timeout_s
        while True:
            self._ask_to_watch()
            left_s = 0.0 if self._ended else max(0.0, deadline - monotonic())
            # With games elsewhere too, neither may be waited for alone.
            message = self._link.receive(min(left_s, _POLL_S) if self._http is not None else left_s)
            while message is not None:
                self._heard_s = monotonic()
                self._take(message)
                message = self._link.receive(0)
            if self._link.ended and self._orders:
                words = self._link.last_words()
                self._give_up_arena(f"the snake's own process ended{f', saying: {words}' if words else ''}")
            elif self._orders and monotonic() - self._heard_s > SILENT_S:
                self._link.close()
                self._give_up_arena(f"the snake's own process told nothing for {SILENT_S:g} s, and was ended")
            if self._http is not None:
                waits = self._link.ended and not self._ended
                self._ended += self._http.finished(max(0.0, deadline - monotonic()) if waits else 0.0)
            if self._ended or monotonic() >= deadline:
                ended, self._ended = self._ended, []
                return ended

    def drop(self, job_id: str) -> None:
        """See `Backend.drop`."""
        for key in [key for key, order in self._orders.items() if order.job.id == job_id]:
            del self._orders[key]
            self._link.send({"type": "cancel", "job": key})
        self._ended = [played for played in self._ended if played.job_id != job_id]
        if self._http is not None:
            self._http.drop(job_id)

    def close(self) -> None:
        """See `Backend.close`."""
        self._link.close()
        if self._http is not None:
            self._http.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _plays(self, order: GameOrder) -> bool:
        job, referee = order.job, order.job.conditions.referee
        return (
            not self._link.ended
            and all(who.source is SourceKind.WEIGHTS for who in job.participants)
            and referee.ruleset in self._hello.rulesets
            and referee.map_id in self._hello.maps
            and len(job.line) <= self._hello.most_seats
        )

    def _send(self, order: GameOrder) -> None:
        job = order.job
        self._told.discard(job.id)
        ids = [self._hold(played_text(who, job.conditions)) for who in job.participants]
        seed, rotation = job.games[order.number]
        key = f"{job.id}#{order.number}"
        self._orders[key] = order
        conditions = conditions_message(job.conditions.referee)
        game = {"participants": ids, "rotations": [rotation], "seeds": [seed], "conditions": conditions}
        self._link.send({"type": "job", "id": key, **game})

    def _hold(self, text: str) -> str:
        """Make sure that the arena has these weights; return their id. A job under way keeps what it was sent with."""
        name = blake2b(text.encode(), digest_size=16).hexdigest()
        if name not in self._held:
            self._link.send({"type": "weights", "id": name, "text": text})
            if len(self._held) >= WEIGHTS_HELD:
                oldest, _ = self._held.popitem(last=False)
                self._link.send({"type": "forget", "id": oldest})
                self._refused.pop(oldest, None)
        self._held[name] = None
        self._held.move_to_end(name)
        return name

    def _take(self, message: Message) -> None:
        kind = message.get("type")
        if kind == "weights" and "error" in message:
            self._refused[message["id"]] = message["error"]
        elif kind == "turn" and self._live is not None:
            self._show(self._live, message)
        elif kind == "game":
            order = self._orders.pop(message["job"], None)
            if self._live is not None and self._live.is_showing(message["job"]):
                self._live.end(message["causes"])
            if order is not None:
                self._ended.append(PlayedGame(order.job.id, order.number, result_of_message(message)))
        elif kind == "error":
            order = self._orders.pop(message.get("job", ""), None)
            if order is not None:
                self._fail(order, message)

    def _ask_to_watch(self) -> None:
        """The arena tells nothing of its games' turns unless somebody looks."""
        if self._live is not None and not self._asked_to_watch and self._live.wanted():
            self._asked_to_watch = True
            self._link.send({"type": "watch"})

    def _show(self, live: ToldGames, message: Message) -> None:
        order = self._orders.get(message["job"])
        try:
            frame = GameLogFrame.model_validate(message["frame"])
        except (KeyError, ValidationError) as error:
            raise SnakeError(f"the snake's arena told a turn without sense: {error!r}", where="arena") from error
        if frame.t == 0 and order is not None:
            self._asked_to_watch = False
            referee = order.job.conditions.referee
            rules, size = (referee.ruleset, referee.map_id), (referee.width, referee.height)
            live.begin(message["job"], about(order), rules, size, names(order))
        if live.is_showing(message["job"]):
            live.turn(frame)

    def _fail(self, order: GameOrder, message: Message) -> None:
        """Not played: its conditions are beyond the arena, or the snake refused its weights."""
        if message["kind"] == "unplayable":
            self._over_http(message["error"], [order])
            return
        ids = [self._hold(played_text(who, order.job.conditions)) for who in order.job.participants]
        words = next((self._refused[name] for name in ids if name in self._refused), message["error"])
        if order.job.id not in self._told:
            self._told.add(order.job.id)
            failure = JobFailure(
                order.job.id,
                f"the snake refuses its weights: {words}",
                "weights",
                "Mend what it says, or freeze that key.",
            )
            self._ended.append(PlayedGame(order.job.id, order.number, failure))

    def _give_up_arena(self, why: str) -> None:
        orders, self._orders = list(self._orders.values()), {}
        self._over_http(why, orders)
        self.notice = f"{self._http.notice if self._http is not None else ''}"

    def _over_http(self, why: str, orders: Sequence[GameOrder]) -> None:
        if self._http is None:
            self._http = self._open_http(why or "a snake that is not this one takes part")
        self._http.begin(orders)


def open_inprocess(
    source: Path,
    folder: Path,
    settings: TunerSettings,
    abandon: Callable[[], bool],
    open_http: Callable[[str], Backend],
    live: ToldGames | None = None,
) -> InProcessBackend | str:
    """Build the snake once and ask its program; why it cannot play its own games, where it cannot.

    Raises:
        SnakeError: it does not build.
        MachineError: no toolchain, no disk.
        Cancelled: `abandon` became true meanwhile.
    """
    if not links_arena(source):
        return "the snake does not import ouroboros-arena (deploy/go-snake/arena/README.md says how)"
    scratch = scratch_folder(folder)
    try:
        # One build serves all weights: they are sent as texts.
        command, timeout_s = settings.build_command, settings.build_timeout_s
        builder = SnakeBuilder(source, scratch, settings.config_file, command, timeout_s, weights_at_start=False)
        built = builder.build("the snake", None, abandon)
        opened = open_link(built.binary, built.folder, scratch / "arena.log")
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    if isinstance(opened, str):
        shutil.rmtree(scratch, ignore_errors=True)
        return opened
    return InProcessBackend(*opened, open_http, scratch, live, settings.parallel_games)


def conditions_message(conditions: MatchConditions) -> dict[str, Any]:
    """The conditions in the protocol's words."""
    numbers = conditions.numbers
    return {
        "width": conditions.width,
        "height": conditions.height,
        "ruleset": conditions.ruleset,
        "map": conditions.map_id,
        "timeout_ms": conditions.timeout_ms,
        "max_turns": conditions.max_turns,
        "numbers": {
            "food_spawn_chance": numbers.food_spawn_chance,
            "minimum_food": numbers.minimum_food,
            "hazard_damage_per_turn": numbers.hazard_damage_per_turn,
            "shrink_every_n_turns": numbers.shrink_every_n_turns,
        },
    }


def result_of_message(message: Message) -> GameResult:
    """A `game` line in the tuner's words.

    Raises:
        SnakeError: a line that is none.
    """
    try:
        return GameResult(
            seed=int(message["seed"]),
            rotation=tuple(message["rotation"]),
            scores=tuple(map(float, message["scores"])),
            turns=int(message["turns"]),
            lengths=tuple(message["lengths"]),
            died_on=tuple(message["died_on"]),
            causes=tuple(message["causes"]),
            failures=tuple(message["failures"]),
            move_ms=tuple(map(float, message["move_ms"])),
            transcript=message["transcript"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SnakeError(f"the snake's arena told a game without sense: {error!r}", where="arena") from error
