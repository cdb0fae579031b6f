"""Where a game can be looked at in the browser, if the dashboard of this state folder runs."""

import fcntl
from pathlib import Path
from urllib.parse import urlencode

from schemas.service import LOCK_NAME, url_of
from schemas.settings import Settings


def dashboard_url(settings: Settings) -> str | None:
    """Return the address of the dashboard that serves this state folder; None: none does."""
    return url_of(settings.web) if _is_held(settings.home / LOCK_NAME) else None


def game_page(settings: Settings, game_id: str, turn: int | None = None) -> str | None:
    """Return the page of a kept game, at a turn (None: its first); None: no dashboard serves this state folder."""
    url = dashboard_url(settings)
    wanted = {"id": game_id} | ({} if turn is None else {"turn": str(turn)})
    return None if url is None else f"{url}/game?{urlencode(wanted)}"


def training_game_page(settings: Settings, game_id: str, turn: int | None = None) -> str | None:
    """Return the page that opens a game which training keeps; as `game_page`."""
    page = game_page(settings, game_id, turn)
    return None if page is None else page.replace("/game?", "/training/game?", 1)


def live_page(settings: Settings) -> str | None:
    """Return the page that shows games while they are played; None: no dashboard serves this state folder."""
    url = dashboard_url(settings)
    return None if url is None else f"{url}/games#live"


def _is_held(path: Path) -> bool:
    """Whether some process holds the lock; a file that cannot be read tells of none."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
