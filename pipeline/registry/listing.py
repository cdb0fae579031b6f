"""How models look in a terminal."""

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.model import Measured, ModelCard, ModelEvent, ModelStatus

PLAIN_WIDTH = 180
"""Columns where the output is no terminal: a file or another program reads it, and nothing should be cut."""
_COLOURS = {ModelStatus.CHAMPION: "green", ModelStatus.CANDIDATE: "cyan", ModelStatus.REJECTED: "yellow"}


def print_models(cards: Sequence[ModelCard]) -> None:
    """A table, or words where there are none."""
    console = _console()
    if not cards:
        console.print("No models (a training run registers them).")
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True)
    for title in ("status", "phase", "architecture", "made", "win rate against the heuristic", "size"):
        table.add_column(title, overflow="fold")
    for card in cards:
        words = [card.training_phase, card.architecture, _when(card.created_at), _number(card.win_rate)]
        words.append(f"{card.size_bytes / 2**20:.1f} MiB")
        table.add_row(Text(card.id), _status(card), *map(Text, words))
    console.print(table)


def print_model(card: ModelCard, ancestors: Sequence[ModelCard], events: Sequence[ModelEvent]) -> None:
    """All of a card, its ancestors, and its steps in the history of champions."""
    console = _console()
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, told in _facts(card, ancestors):
        facts.add_row(name, told if isinstance(told, Text) else Text(told))
    console.print(facts)
    if card.measured or card.claimed:
        numbers = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for title in ("metric", "value", "games", "seed", "how"):
            numbers.add_column(title, overflow="fold")
        for name, measured in sorted(card.measured.items()):
            seed = "-" if measured.seed is None else str(measured.seed)
            numbers.add_row(name, _interval(measured), f"{measured.games:,}", seed, Text(measured.how))
        for name, value in sorted(card.claimed.items()):
            numbers.add_row(name, f"{value:g}", "-", "-", "claimed at registration, with nothing behind it")
        console.print(numbers)
    for event in events:
        other = f", before: {event.previous_id}" if event.previous_id else ""
        console.print(Text(f"{_when(event.at)}  {event.kind.value}  {event.model_id}{other}  {event.evidence or ''}"))


def _facts(card: ModelCard, ancestors: Sequence[ModelCard]) -> list[tuple[str, str | Text]]:
    return [
        ("id", card.id),
        ("name, version", f"{card.name}, {card.version}"),
        ("status", _status(card)),
        ("phase", card.training_phase),
        ("network", f"{card.architecture}, {card.parameters:,} numbers, frame {card.frame}"),
        ("learned from", f"{card.games_learned:,} games, {card.positions_learned:,} positions"),
        ("made", f"{_when(card.created_at)}, seed {'-' if card.seed is None else card.seed}, {card.code_revision}"),
        ("weights", f"{card.weights_file}, {card.size_bytes:,} bytes, SHA-256 {card.sha256}"),
        ("encoder", card.encoder_id),
        ("from", " <- ".join(ancestor.id for ancestor in ancestors) or "nothing: it began with random weights"),
        *([("notes", card.notes)] if card.notes else []),
    ]


def _status(card: ModelCard) -> Text:
    if card.damage is not None:
        return Text(f"{card.status.value}, damaged: {card.damage}", style="red")
    return Text(card.status.value, style=_COLOURS.get(card.status, ""))


def _number(measured: Measured | None) -> str:
    return "not measured" if measured is None else f"{_interval(measured)} / {measured.games:,} games"


def _interval(measured: Measured) -> str:
    if measured.low is None or measured.high is None:
        return f"{measured.value:.4g}"
    return f"{measured.value:.3f} [{measured.low:.3f}, {measured.high:.3f}]"


def _when(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console
