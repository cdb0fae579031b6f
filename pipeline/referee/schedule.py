"""Which games a match consists of: seeds, and who sits where."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID


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
