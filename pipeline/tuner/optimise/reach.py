"""How far apart the two sides of a question should lie: probed, so that a perturbed point loses a known amount.

The loss of a perturbed point to the middle grows with the square of the reach. Least squares over the probes, weighted
by what their games say and the latest most, tell by how much; the reach that loses `PROBED_LOSS_ELO` follows.
"""

from math import log10, sqrt
from typing import Any, Self

PROBED_LOSS_ELO = 120.0
"""What a perturbed point may lose to the middle: a score of one third."""
FIRST_REACH, LEAST_REACH, MOST_REACH = 0.3, 0.04, 1.0
"""Share of a weight's size: of the first questions, and the limits of what the probes may set."""
PRIOR_GAMES = 16.0
"""Games that the first reach counts for against the probes'."""
FADING = 0.96
"""What earlier probes count for at each further one: the hill is another one where the climb has come to."""
_LEAST_CURVATURE = 1e-6


class ReachProbe:
    """What the probes said so far."""

    def __init__(self) -> None:
        self._losses = PRIOR_GAMES * PROBED_LOSS_ELO * FIRST_REACH**2
        self._squares = PRIOR_GAMES * FIRST_REACH**4

    @property
    def reach(self) -> float:
        """Share of a weight's size by which a perturbed point should differ from the middle."""
        curvature = max(self._losses / self._squares, _LEAST_CURVATURE)
        return min(MOST_REACH, max(LEAST_REACH, sqrt(PROBED_LOSS_ELO / curvature)))

    def note(self, score: float, pairs: int, reach: float) -> None:
        """Count a probe: the perturbed point's mean score against the middle in so many pairs of games."""
        games = 2 * pairs
        share = (score * games + 0.5) / (games + 1)  # Anscombe's: a logit of few games without bias
        weight = games * 4 * share * (1 - share)  # a lopsided score says less about Elo
        self._losses = FADING * self._losses + weight * 400 * log10((1 - share) / share) * reach**2
        self._squares = FADING * self._squares + weight * reach**4

    def state(self) -> list[float]:
        """For `restore`."""
        return [self._losses, self._squares]

    @classmethod
    def restore(cls, state: Any) -> Self:
        """The probe that `state` came from."""
        probe = cls()
        probe._losses, probe._squares = float(state[0]), float(state[1])
        return probe
