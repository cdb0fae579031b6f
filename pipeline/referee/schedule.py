"""Which games a match consists of (seeds, who sits where), and what is the same in all: board, rules and clock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from uuid import UUID

from schemas.errors import BadInputError

FAILURE_LIMIT = 0.01
"""Share of games with a failure above which a match must not be scored."""


@dataclass(frozen=True, slots=True)
class RuleNumbers:
    """The rules' four numbers, with the official command's defaults and the API's meaning of each."""

    food_spawn_chance: int = 15
    """Percent, as the official setting (15 gives 14 % a turn)."""
    minimum_food: int = 1
    hazard_damage_per_turn: int = 14
    shrink_every_n_turns: int = 25


@dataclass(frozen=True, slots=True)
class MatchConditions:
    """How every game of a match is played.

    Raises:
        BadInputError: a time-out or turn limit below 1, or a board that is not 3 to 25 cells wide and high.
    """

    width: int = 11
    height: int = 11
    ruleset: str = "standard"
    map_id: str = "standard"
    numbers: RuleNumbers = field(default_factory=RuleNumbers)
    timeout_ms: int = 500
    """The API's time-out: connecting, waiting and reading one answer together."""
    max_turns: int = 1000
    """A game still running after so many turns ends as `Ending.TURN_LIMIT`, scored as a draw of the living."""

    def __post_init__(self) -> None:
        for name, least, most in (
            ("width", 3, 25),
            ("height", 3, 25),
            ("timeout_ms", 1, 3_600_000),
            ("max_turns", 1, 1_000_000),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise BadInputError(
                    f"{name} is {value}", where="the conditions of a match", remedy=f"Use {least} to {most}."
                )


@dataclass(frozen=True, slots=True)
class ScheduledGame:
    """One game before it is played; together with deterministic snakes it fixes every turn."""

    pair: int
    """Number of the group of games that share a seed; with two snakes, a pair."""
    seed: int
    seats: tuple[int, ...]
    """The contestant (index in the match) at each seat; the seat is the snake's index in the rules."""

    @property
    def game_id(self) -> str:
        """The game's id, a UUID drawn from seed and seats, so that a repetition sends the same bytes."""
        return _derived_id(f"game {self.seed} {self.seats}")

    def snake_id(self, seat: int) -> str:
        """The id of the snake at `seat`, drawn likewise."""
        return _derived_id(f"snake {self.seed} {self.seats} {seat}")


def paired_schedule(pairs: int, seed: int, seats: Sequence[int] = (0, 1)) -> tuple[ScheduledGame, ...]:
    """Return `pairs` groups of games, each group one fresh seed played in every rotation of `seats`.

    Two contestants give both seatings per seed. A contestant may sit several times: (0, 1, 1, 1) is one against
    three copies of another, four games per seed. A rotation that repeats an earlier one is left out.
    """
    line = tuple(seats)
    rotations = list(dict.fromkeys(line[shift:] + line[:shift] for shift in range(len(line))))
    return tuple(
        ScheduledGame(pair, game_seed(seed, pair), rotation) for pair in range(pairs) for rotation in rotations
    )


def game_seed(seed: int, number: int) -> int:
    """Return game seed `number` of the stream `seed`: 1 to 2**63 - 1, far from its neighbours.

    The official rules share random streams between neighbouring seeds, so seeds are hashed, not counted.
    """
    digest = blake2b(f"{seed} {number}".encode(), digest_size=8, person=b"ouro-game-seed").digest()
    return int.from_bytes(digest, "big") >> 1 or 1


def _derived_id(text: str) -> str:
    digest = blake2b(text.encode(), digest_size=16, person=b"ouro-game-id").digest()
    return str(UUID(bytes=digest, version=4))
