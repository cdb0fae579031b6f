"""How often a challenger would have played what was played: by game, with an interval."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from pipeline.evaluation.intervals import wilson
from schemas.errors import DataError
from schemas.shadow import SHADOW_SUFFIX, ShadowMove, ShadowReport


def report_shadows(folder: Path) -> list[ShadowReport]:
    """Return a report per pair of models that the folder's shadow files tell of.

    The interval is Wilson's on an effective number of positions: the true number divided by the design effect (Kish
    1965) of games as clusters, never below 1.

    Raises:
        DataError: there are no shadow moves.
    """
    pairs: dict[tuple[str, str], list[ShadowMove]] = defaultdict(list)
    unreadable = 0
    for path in sorted(folder.glob(f"*{SHADOW_SUFFIX}")):
        for line in path.read_bytes().splitlines():
            if not line.strip():
                continue
            try:
                move = ShadowMove.model_validate_json(line)
            except ValidationError:
                unreadable += 1
                continue
            pairs[move.champion, move.challenger].append(move)
    if not pairs:
        raise DataError(
            "no shadow moves were recorded", where=str(folder), remedy="Serve with --shadow, and play some games."
        )
    return [_report(moves, unreadable) for moves in pairs.values()]


def _report(moves: Sequence[ShadowMove], unreadable: int) -> ShadowReport:
    games: dict[str, list[bool]] = defaultdict(list)
    for move in moves:
        games[move.game_id].append(move.agree)
    share, low, high = agreement([(sum(agreed), len(agreed)) for agreed in games.values()])
    return ShadowReport(
        champion=moves[0].champion,
        challenger=moves[0].challenger,
        games=len(games),
        positions=len(moves),
        agreement=share,
        low=low,
        high=high,
        heuristic_positions=sum(move.played_logits is None for move in moves),
        dropped=sum(move.dropped_before for move in moves),
        unreadable_lines=unreadable,
    )


def agreement(games: Sequence[tuple[int, int]]) -> tuple[float, float, float]:
    """Return the share of agreeing positions and its 95 % interval, from (agreeing, all) per game."""
    positions = sum(count for _, count in games)
    share = sum(agreeing for agreeing, _ in games) / positions
    independent = share * (1 - share) * positions
    effect = 1.0
    if len(games) > 1 and independent > 0:
        between = sum((agreeing - share * count) ** 2 for agreeing, count in games)
        effect = max(1.0, between * len(games) / (len(games) - 1) / independent)
    elif len(games) == 1:
        effect = float(positions)
    effective = positions / effect
    low, high = wilson(share * effective, effective)
    return share, low, high
