"""The web process: takes its port, serves until TERM, and says in one line why it cannot."""

import gc
import logging
import os
import secrets
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

import uvicorn
from litestar.concurrency import set_asyncio_executor

from runner.heap import share_one_heap
from runner.logs import LOGGER_NAME, TEXT_FORMAT
from runner.single_instance import SingleInstanceLock
from runner.web.app import create_app
from runner.web.connections import PatientConnection
from runner.web.read.database import READERS
from runner.web.site import open_site
from schemas.errors import MachineError, StateError
from schemas.files import write_atomic
from schemas.service import LOCK_NAME, WebSettings, url_of
from schemas.settings import Settings

SECRET_NAME = "dashboard.secret"
_SECRET_BYTES = 32
_MOST_CONNECTIONS = 256
LOG_NAME = "dashboard.log"
_LOG_BYTES = 5_000_000
_log = logging.getLogger("ouroboros.web")


def serve(settings: Settings) -> None:
    """Serve this state folder until SIGTERM or SIGINT.

    Raises:
        StateError: another one serves it, or the folder cannot be written.
        MachineError: the port is taken, or may not be listened on.
    """
    home = settings.home.absolute()
    share_one_heap()  # 4 MB a thread otherwise, for nothing: all wait for one interpreter
    _start_log(settings)
    with SingleInstanceLock(home / LOCK_NAME, home, "dashboard", datetime.now(UTC)), _listening(settings.web) as port:
        site = open_site(settings, _secret(home / SECRET_NAME))
        set_asyncio_executor(ThreadPoolExecutor(READERS, thread_name_prefix="ouroboros-web"))
        app = create_app(site)
        gc.collect()
        gc.freeze()  # what lives as long as the process is not looked through again
        config = uvicorn.Config(
            app,
            http=PatientConnection,
            loop="asyncio",  # uvloop would take 2 MB, for the few requests of a few people
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        _log.info("The dashboard is at %s (process %d)", url_of(settings.web), os.getpid())
        uvicorn.Server(config).run(sockets=[port])


def _start_log(settings: Settings) -> None:
    """A log of its own: the daemon's is begun anew with each daemon."""
    path = settings.logs_dir.absolute() / LOG_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1, encoding="utf-8")
    except OSError as error:
        raise StateError(
            f"cannot write the log: {error.strerror}", where=str(path), remedy="Check the folder's owner and the disk."
        ) from error
    handler.setFormatter(logging.Formatter(TEXT_FORMAT))
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(settings.logging.level)
    logger.addHandler(handler)


@contextmanager
def _listening(web: WebSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            port.bind((web.host, web.port))
            port.listen(128)
        except OSError as error:
            raise MachineError(
                f"the dashboard cannot listen: {error.strerror}",
                where=f"{web.host}:{web.port}",
                remedy="Set web.port (or web.host) to another one, or start with `ouroboros up --no-web`.",
            ) from error
        yield port


def _secret(path: Path) -> bytes:
    """What signs a browser's tokens; kept, so that a page opened before a restart can still steer after it."""
    try:
        if path.exists() and len(found := path.read_bytes()) == _SECRET_BYTES:
            return found
        write_atomic(path, made := secrets.token_bytes(_SECRET_BYTES), private=True)
    except OSError as error:
        raise StateError(f"the dashboard's secret cannot be kept: {error.strerror}", where=str(path)) from error
    return made
