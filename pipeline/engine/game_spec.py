"""What a game is asked to be: ruleset, settings under the rules' own names with their defaults, a slot's game."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from pipeline.engine import layout
from pipeline.engine.layout import RULESETS, SOLO
from pipeline.engine.state_checks import read_integer
from schemas.errors import GameStateError


class UnknownRulesetError(GameStateError):
    """No such ruleset; the message names those there are."""


class RuleSettings(NamedTuple):
    """damagePerTurn (may be negative), foodSpawnChance (percent), minimumFood (cells), shrinkEveryNTurns (turns)."""

    damagePerTurn: int = 0
    foodSpawnChance: int = 0
    minimumFood: int = 0
    shrinkEveryNTurns: int = 20


RULES_DEFAULTS: Final = RuleSettings()
CLI_DEFAULTS: Final = RuleSettings(damagePerTurn=14, foodSpawnChance=15, minimumFood=1, shrinkEveryNTurns=25)


def read_settings(settings: Mapping[str, object] | None, defaults: RuleSettings) -> RuleSettings:
    """Return the settings given, over the defaults.

    Raises:
        GameStateError: an unknown name, or a value that is no whole number within 32 bits.
    """
    values: dict[str, int] = {}
    if settings is not None and not isinstance(settings, Mapping):
        raise GameStateError(f"{type(settings).__name__} given where settings belong", where="settings")
    for name, value in (settings or {}).items():
        if name not in RuleSettings._fields:
            raise GameStateError(
                f"unknown setting {name!r}",
                where=f"settings.{name}",
                remedy=f"Known are {', '.join(RuleSettings._fields)}.",
            )
        if type(value) is not int or abs(value) >= 2**31:
            raise GameStateError(
                f"{value!r} is no whole number", where=f"settings.{name}", remedy="Give an int below 2**31."
            )
        values[name] = value
    return defaults._replace(**values)


def rules_bits(ruleset: str, solo: bool) -> int:
    """Return the RULES word of a ruleset; `solo` makes the game end only when nobody lives.

    Raises:
        UnknownRulesetError: no such ruleset.
    """
    if not isinstance(ruleset, str) or ruleset not in RULESETS:
        raise UnknownRulesetError(
            f"unknown ruleset {ruleset!r}", where="ruleset", remedy=f"Choose one of {', '.join(RULESETS)}."
        )
    return RULESETS[ruleset] | (SOLO if solo else 0)


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
