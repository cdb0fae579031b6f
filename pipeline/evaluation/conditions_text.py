"""The conditions of games in words, as they are told beside every number."""

from pipeline.engine.players.match import Conditions
from pipeline.engine.settings import CLI_DEFAULTS


def conditions_text(conditions: Conditions) -> str:
    """Return e.g. `11x11 standard, 2 snakes, map standard, at most 3000 turns`; settings that are not the CLI's."""
    other = [
        f", {name} {value}"
        for name, value in conditions.settings._asdict().items()
        if value != getattr(CLI_DEFAULTS, name)
    ]
    return (
        f"{conditions.width}x{conditions.height} {conditions.ruleset}, {conditions.snakes} snakes,"
        f" map {conditions.map_id}, at most {conditions.most_turns} turns{''.join(other)}"
    )
