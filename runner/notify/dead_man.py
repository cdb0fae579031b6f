"""The dead man's switch: a URL that is fetched while the daemon is well, so that its silence is noticed elsewhere."""

import http.client
import urllib.error
import urllib.parse
import urllib.request

from runner.notify.delivery import DeliveryError

TIMEOUT_S = 10


def ping(url: str) -> None:
    """Fetch the URL once.

    Raises:
        DeliveryError: it cannot be reached or does not answer 2xx.
    """
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        raise DeliveryError("the dead-man URL is neither http nor https", where="notifications.dead_man_url")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked above
            answer.read(1024)
    except urllib.error.HTTPError as error:
        error.close()  # it is an answer too, with a connection of its own
        raise DeliveryError(f"the dead-man URL answers {error.code}", where=url.partition("?")[0]) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise DeliveryError(f"the dead-man URL cannot be reached: {error}", where=url.partition("?")[0]) from error
