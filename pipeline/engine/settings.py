"""The rules' settings under the rules' own names, and their two sets of defaults."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.engine.errors import UnknownRulesetError
from pipeline.engine.layout import RULESETS, SOLO
from schemas.errors import GameStateError


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
