"""What the stored games tell of themselves: statistics of all, analysis of the newest."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.data.quality import parts_of, strategy_diversity
from pipeline.data.scan import scan
from pipeline.data.store import REJECTED, GameStore
from pipeline.data.stored_game import StoredGame
from pipeline.engine.layout import CAUSE_WORDS

_QUANTILES = (5, 25, 50, 75, 95)


def data_statistics(store: GameStore) -> dict[str, Any]:
    """Return what the store holds.

    total_games; total_samples: moves of all seats, the positions there are; total_turns; average_quality_score (0..1,
    0 if empty); avg_game_length (turns); games_by_source; files; rejected_files: set aside, with their reasons beside.
    """
    counts = store.counts()
    games = max(counts.games, 1)
    return {
        "total_games": counts.games,
        "total_samples": counts.decisions,
        "total_turns": counts.turns,
        "average_quality_score": counts.quality_sum / games,
        "avg_game_length": counts.turns / games,
        "games_by_source": dict(counts.by_source),
        "files": counts.files,
        "rejected_files": len(list((store.folder / REJECTED).glob("*.parquet"))),
    }


def quality_analysis(games: Sequence[StoredGame], threshold: float) -> dict[str, Any]:
    """Return how good and how varied these games are; every number is computed from their tapes.

    games_analysed; avg_game_length (turns); strategy_diversity and average_quality_score (0..1, see `quality.py`);
    quality_parts: the means of its four parts; quality_percentiles {5: ..., 95: ...}; usable_share: games of at least
    `threshold`; decided_share: games with a sole survivor; causes_of_death: share of all deaths by cause;
    games_by_seats; players: per player its games' seats (`seats`) and sole victories (`wins`).
    """
    facts = scan([game.tape for game in games])
    quality = np.array([game.quality for game in games])
    parts = parts_of(facts, np.array([game.width * game.height for game in games], np.int64))
    deaths = np.bincount(facts.causes.reshape(-1), minlength=len(CAUSE_WORDS))[1:]
    wins = Counter(game.players[game.winner] for game in games if game.winner is not None)
    seats = Counter(player for game in games for player in game.players)
    return {
        "games_analysed": len(games),
        "avg_game_length": _mean(facts.turns),
        "strategy_diversity": strategy_diversity(facts.openings),
        "average_quality_score": _mean(quality),
        "quality_parts": {name: _mean(part[~np.isnan(part)]) for name, part in parts.items()},
        "quality_percentiles": {q: float(np.percentile(quality, q)) if len(games) else 0.0 for q in _QUANTILES},
        "usable_share": _mean(quality >= threshold),
        "decided_share": sum(wins.values()) / max(len(games), 1),
        "causes_of_death": {
            word: float(count / deaths.sum()) for word, count in zip(CAUSE_WORDS[1:], deaths, strict=True) if count
        },
        "games_by_seats": dict(Counter(len(game.players) for game in games)),
        "players": {name: {"seats": seats[name], "wins": wins[name]} for name in sorted(seats)},
    }


def _mean(values: Any) -> float:
    return float(np.mean(values)) if len(values) else 0.0
