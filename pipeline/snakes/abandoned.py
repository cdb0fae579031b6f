"""How work that was cut short is told from work that failed."""


class Abandoned(Exception):
    """Work was dropped because the run is to stop now."""
