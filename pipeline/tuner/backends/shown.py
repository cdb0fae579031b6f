"""What is said of a tuner's game to whoever looks on: what it is for, and who sits where."""

from hashlib import blake2b
from pathlib import Path

from pipeline.referee.endpoint import shown_place
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.faults import sides_of
from pipeline.tuner.jobs import JobKind, Participant, SourceKind

_FOR = {
    JobKind.PROBE: "A probe of weights",
    JobKind.GATE: "The test of a candidate against the champion",
    JobKind.NO_REGRESSION: "A candidate against the pool",
    JobKind.MEASUREMENT: "The champion is measured on unseen seeds",
    JobKind.SCREEN: "Which weights change a move",
    JobKind.TOURNAMENT: "A tournament",
}


def about(order: GameOrder) -> str:
    """`The test of a candidate against the champion, game 12 of 200`."""
    return f"{_FOR[order.job.kind]}, game {order.number + 1:,} of {len(order.job.games):,}"


def names(order: GameOrder) -> list[str]:
    """By seat: what the snake is in the run, and in a tournament which one it is."""
    sides = sides_of(order.job)
    _, rotation = order.job.games[order.number]
    if order.job.kind is JobKind.TOURNAMENT:
        return [_label(order.job.participants[who]) for who in rotation]
    return [sides[who] if len(set(sides)) > 1 else f"{sides[who]} {who + 1}" for who in rotation]


def _label(who: Participant) -> str:
    if who.source is SourceKind.WEIGHTS:
        return f"weights {blake2b(who.text.encode(), digest_size=5).hexdigest()}"
    return Path(who.text).name if who.source is SourceKind.FOLDER else shown_place(who.text)
