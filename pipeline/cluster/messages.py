"""What travels between a run, its bridge and the players on the nodes. All of it goes by value."""

from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.tuner.backends import PlayedGame
from pipeline.tuner.jobs import PlayConditions, SourceKind
from schemas.cluster import NodeAnswer, NodeIdentity
from schemas.tuning import TunerSettings


@dataclass(frozen=True, slots=True)
class Guest:
    """A participant on its way: what is long has gone ahead once, and is named by its digest."""

    source: SourceKind
    digest: str


@dataclass(frozen=True, slots=True)
class SentGame:
    """One game of a job, with all that it depends on."""

    job_id: str
    number: int
    guests: tuple[Guest, ...]
    seed: int
    rotation: tuple[int, ...]
    conditions: PlayConditions


@dataclass(frozen=True, slots=True)
class SnakePackage:
    """A snake's source: names relative to its folder, contents, and which files may be executed."""

    digest: str
    files: tuple[tuple[str, bytes, bool], ...]


@dataclass(frozen=True, slots=True)
class OpenGames:
    """What a player must know before its first game. The snake itself follows where it is not there yet."""

    package: str
    """Digest of the snake that is tuned."""
    tuner: TunerSettings
    run_command: str

    @property
    def patience_s(self) -> float:
        """How long a build may take."""
        return self.tuner.build_timeout_s


@dataclass(frozen=True, slots=True)
class OpenMatches:
    """What a node must know before it plays games of networks; these follow with the games."""

    threads: int
    """With so many the networks compute, whatever the node lends: another number may add up in another order."""
    computes: str
    """The versions of what computes."""
    patience_s: float = 900.0
    """How long the imports may take and, where nothing was compiled yet, the compiling."""


@dataclass(frozen=True, slots=True)
class OpenRollouts:
    """What a node must know before it plays stretches of a learner's games, one on each core that it lends."""

    computes: str
    """The versions of what computes."""
    patience_s: float = 900.0
    """See `OpenMatches`."""


Opening = OpenGames | OpenMatches | OpenRollouts


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a player. A call that is made again does nothing twice.

    Args:
        seen: answers up to this number have arrived; the player may forget them.
        texts: weights that later games name by digest.
    """

    seen: int
    games: tuple[SentGame, ...] = ()
    drops: tuple[str, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What a player says.

    Args:
        answers: since `Request.seen`, oldest first, each with its number.
        trouble: why the node cannot go on for now, in a sentence; it gives back what it has.
    """

    says: NodeAnswer
    answers: tuple[tuple[int, PlayedGame], ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Introduction:
    """A player's first word."""

    identity: NodeIdentity
    says: NodeAnswer
    capacity: int
    notice: str


# From the run to its bridge


@dataclass(frozen=True, slots=True)
class Begin:
    """The first word: who plays, and against whose identity nodes are held."""

    opening: Opening
    packages: tuple[SnakePackage, ...]
    identity: NodeIdentity
    one_model: bool
    """What is played depends on the model of processor: its milliseconds, or how its sums are rounded."""


@dataclass(frozen=True, slots=True)
class Send:
    """Games for a node."""

    node: str
    games: tuple[SentGame, ...]
    texts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Nobody wants this job's games any more."""

    job_id: str


# From the bridge to the run


@dataclass(frozen=True, slots=True)
class Joined:
    """A node is ready to play."""

    node: str
    name: str
    cores: int
    capacity: int
    same_cpu: bool
    takes: bool


@dataclass(frozen=True, slots=True)
class Willing:
    """A node's guards changed their mind."""

    node: str
    takes: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Silent:
    """A node has not answered for too long; it may come back (`Willing`)."""

    node: str


@dataclass(frozen=True, slots=True)
class Left:
    """A node has gone, or cannot play."""

    node: str
    reason: str


@dataclass(frozen=True, slots=True)
class GamesEnded:
    """Games that a node played."""

    node: str
    games: tuple[PlayedGame, ...]


@dataclass(frozen=True, slots=True)
class Alive:
    """The bridge goes on."""

    trouble: str = ""
    """Why it has no cluster at the moment."""


class Link(Protocol):
    """A bridge, as far as this room cares."""

    def send(self, message: object) -> None:
        """Say something."""
        ...

    def receive(self, timeout_s: float) -> list[Any]:
        """What it said."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    def last_words(self) -> str:
        """Why, perhaps."""
        ...

    def close(self) -> None:
        """End it."""
        ...
