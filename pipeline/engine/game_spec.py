"""What a batch is asked to play in one of its slots."""

from dataclasses import dataclass, field

from pipeline.engine import layout
from pipeline.engine.settings import rules_bits
from pipeline.engine.state_checks import read_integer


@dataclass(frozen=True)
class GameSpec:
    """What one slot plays; settings left out have the official CLI's defaults, `solo` None: with one snake."""

    width: int = 11
    height: int = 11
    snakes: int = 4
    ruleset: str = "standard"
    map_id: str = "standard"
    settings: dict[str, int] = field(default_factory=dict)
    solo: bool | None = None

    @property
    def size(self) -> tuple[int, int, int]:
        """Width, height and number of snakes."""
        return self.width, self.height, self.snakes

    def rules(self) -> int:
        """Return the RULES word.

        Raises:
            GameStateError: no such ruleset, or no number of snakes.
        """
        read_integer(self.snakes, "snakes", 1, layout.MAX_SNAKES)
        return rules_bits(self.ruleset, self.snakes < 2 if self.solo is None else self.solo)
