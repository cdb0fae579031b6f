"""The dead man's switch: a URL that is fetched while the daemon is well, so that its silence is noticed elsewhere."""

import http.client
import urllib.error
import urllib.parse
import urllib.request

from runner.notify.delivery import DeliveryError
from schemas.outside_text import error_line, line

TIMEOUT_S = 10
_SETTING = "notifications.dead_man_url"


def ping(url: str) -> None:
    """Fetch the URL once. Whoever knows it can keep us silent, so it is named by its setting alone.

    Raises:
        DeliveryError: it cannot be reached or does not answer 2xx.
    """
    try:
        if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
            raise DeliveryError("the dead-man URL is neither http nor https", where=_SETTING)
        with urllib.request.urlopen(url, timeout=TIMEOUT_S):  # noqa: S310 - the scheme was checked above
            pass
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer too, with a connection of its own
        raise DeliveryError(f"the dead-man URL answers {error.code}", where=_SETTING) from error
    except urllib.error.URLError as error:
        reason = f"the dead-man URL cannot be reached: {line(str(error.reason))}"
        raise DeliveryError(reason, where=_SETTING) from error
    except (http.client.InvalidURL, ValueError) as error:
        raise DeliveryError("the dead-man URL is none", where=_SETTING, remedy="Correct it.") from error
    except (http.client.HTTPException, OSError) as error:
        reason = f"the dead-man URL cannot be reached: {error_line(error)}"
        raise DeliveryError(reason, where=_SETTING) from error
