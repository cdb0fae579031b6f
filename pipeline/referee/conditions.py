"""What is the same in every game of a match: the board, the rules and the clock."""

from dataclasses import dataclass, field

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
