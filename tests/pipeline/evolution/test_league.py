"""The league: who is cast, which snapshots stay, and that it comes back whole."""

import numpy as np
import torch

from pipeline.engine.players.kinds import STRONG, VORONOI
from pipeline.evolution.league import LEARNER, PAST_SELF, League, Shares
from schemas.self_play import OpponentShare

_OPPONENTS = [OpponentShare(kind="strong", weight=3), OpponentShare(kind="voronoi", weight=1)]


def _weights(number: float) -> dict[str, torch.Tensor]:
    return {"a": torch.full((2, 2), number), "b.c": torch.tensor([number])}


def test_shares_and_weights_are_kept_in_duels() -> None:
    league = League(_OPPONENTS, 2)
    league.remember(1, _weights(1))
    cast = league.cast(20_000, 2, Shares(0.5, 0.3), np.random.default_rng(0))
    assert ((cast == LEARNER).sum(1) >= 1).all()
    opponents = cast[(cast == LEARNER).sum(1) == 1]
    heuristics = np.isin(opponents, [STRONG, VORONOI]).sum()
    assert abs(heuristics / len(cast) - 0.5) < 0.02
    assert abs((opponents == PAST_SELF).sum() / len(cast) - 0.3) < 0.02
    assert abs((opponents == STRONG).sum() / heuristics - 0.75) < 0.02
    assert abs((cast[:, 0] != LEARNER).mean() - 0.4) < 0.02, "opponents sit at either place"


def test_crowds_meet_one_two_and_three_heuristics() -> None:
    cast = League(_OPPONENTS, 0).cast(2000, 4, Shares(1.0, 0.0), np.random.default_rng(1))
    others = (cast != LEARNER).sum(1)
    assert set(others.tolist()) == {1, 2, 3}
    assert (others == 3).mean() > 0.5


def test_without_snapshots_past_selves_are_the_learner_itself() -> None:
    cast = League(_OPPONENTS, 4).cast(100, 2, Shares(0.0, 1.0), np.random.default_rng(1))
    assert (cast == LEARNER).all()
    assert League(_OPPONENTS, 4).draw_snapshot(np.random.default_rng(0)) is None


def test_snapshots_stay_spread_over_the_run_and_the_newest_stays() -> None:
    league = League(_OPPONENTS, 4)
    for update in range(10, 210, 10):
        league.remember(update, _weights(update))
        assert update in league.snapshots
    kept = league.snapshots
    assert len(kept) == 4
    assert kept[0] <= 60, "the league remembers its youth"
    assert max(np.diff(kept)) <= 120


def test_a_snapshot_is_a_copy_and_the_league_comes_back_whole() -> None:
    league = League(_OPPONENTS, 4)
    weights = _weights(1)
    league.remember(3, weights)
    weights["a"].fill_(9)
    league.remember(5, weights)
    other = League(_OPPONENTS, 4)
    other.from_arrays(league.to_arrays())
    assert other.snapshots == [3, 5]
    drawn = [other.draw_snapshot(np.random.default_rng(seed)) for seed in range(8)]
    assert {float(snapshot["a"][0, 0]) for snapshot in drawn if snapshot} == {1.0, 9.0}
