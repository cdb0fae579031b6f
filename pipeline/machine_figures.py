"""Figures of the machine beside a run's own: no training ends for want of one."""

import logging
from collections.abc import Callable

_log = logging.getLogger(__name__)


def measured(look: Callable[[], float]) -> float | None:
    """What `look` says; None where it raises: psutil passes on whatever the files below /proc and /sys make of it."""
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - see above
        _log.debug("A figure of the machine cannot be had: %s", error)
        return None
