"""The engine's own kinds of bad input; all are `GameStateError`, so a caller may catch that alone."""

from schemas.errors import GameStateError


class MissingMoveError(GameStateError):
    """Moves were given, but none for a living snake; the turn was not played."""


class ZeroLengthSnakeError(GameStateError):
    """A living snake has no body; the turn was not played."""


class ShrinkError(GameStateError):
    """Royale hazards were to be drawn with `shrinkEveryNTurns` below 1; the turn was not played."""


class UnknownMapError(GameStateError):
    """No such map, or one that this engine does not play; the message names those it plays."""


class UnknownRulesetError(GameStateError):
    """No such ruleset; the message names those there are."""


class SetUpError(GameStateError):
    """This map cannot be set up with this board or number of snakes."""
