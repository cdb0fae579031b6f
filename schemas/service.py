"""How the daemon and the dashboard behave: loop, workers, logs, storage, and who may ask the web process."""

from enum import StrEnum

from pydantic import Field, field_validator

from schemas.base import Frozen
from schemas.outside_text import line


class SchedulerSettings(Frozen):
    """The daemon's loop and queue."""

    poll_interval_s: float = Field(default=1.0, gt=0, le=60)
    """How often the loop looks for commands, trigger files and triggers when nothing is due earlier."""
    max_queue_length: int = Field(default=20_000, ge=1)
    """Occurrences beyond this are recorded as missed with that reason."""
    slots: int = Field(default=1, ge=1, le=64)
    """Runs at once; a GPU run takes the GPU for itself whatever this says."""
    drain_timeout_s: float = Field(default=60, gt=0)
    """At shutdown a running worker gets this long to save and stop."""
    on_shutdown: str = Field(default="stop", pattern="^(stop|leave)$")
    """`stop`: running workers are asked to save and stop, and resume later; `leave`: they go on and are adopted."""


class WorkerSettings(Frozen):
    """How training runs are held."""

    heartbeat_interval_s: float = Field(default=5, gt=0)
    """How often a worker gives a sign of life."""
    heartbeat_timeout_s: float = Field(default=300, gt=0)
    """A worker silent for so long is taken for hung and ended."""
    soft_stop_timeout_s: float = Field(default=30, gt=0)
    """After a request to stop, before TERM."""
    term_timeout_s: float = Field(default=10, gt=0)
    """After TERM, before KILL of the whole tree."""
    sample_interval_s: float = Field(default=5, gt=0)
    """Resource use of the process tree is sampled this often."""
    memory_limit_gb: float = Field(default=0, ge=0)
    """Resident memory of the whole tree above which a run is ended; 0: no limit."""
    log_max_mb: float = Field(default=32, ge=0.1)
    """Of what a run prints, so much is kept: its beginning and its end."""
    nice: int = Field(default=10, ge=0, le=19)
    """By how much a worker yields to other programs, as the kernel counts it."""
    cpu_affinity: list[int] = Field(default_factory=list)
    """CPU numbers a run may use; empty: all."""


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class LoggingSettings(Frozen):
    """The daemon's own log files."""

    level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    """The least that the log takes."""
    format: LogFormat = LogFormat.TEXT
    """`json`: one object a line, for programs."""
    max_mb: float = Field(default=10, ge=0.001)
    """A log file is rotated and compressed beyond this size."""
    keep_files: int = Field(default=14, ge=1)
    """Logs of former starts that are kept."""


class StorageSettings(Frozen):
    """The database and what is kept in it."""

    database_url: str = ""
    """SQLAlchemy URL; empty: SQLite at `automation_tracking.db` in the state folder. A server is
    `postgresql+psycopg://USER@HOST/DATABASE`, without a password."""
    busy_timeout_s: float = Field(default=60, gt=0)
    """How long a write waits for another program's lock on the database."""
    keep_decisions_days: float = Field(default=90, gt=0)
    """How long decisions, commands and their answers are kept."""
    keep_occurrences_days: float = Field(default=730, gt=0)
    """Finished occurrences and executions older than this are removed; counters stay."""
    keep_run_folders_days: float = Field(default=60, gt=0)
    """How long the folder of an ended run (log, files) is kept."""
    keep_replays_days: float = Field(default=60, gt=0)
    """How long games in `data/replays` (`ouroboros play --watch`, `--replay-dir`) are kept."""
    max_replays_mb: float = Field(default=1000, ge=0)
    """Beyond so much of them the oldest go before their time; 0: no limit."""
    keep_backups: int = Field(default=10, ge=1)
    """Copies that upgrades make beside the database."""
    backup_interval_hours: float = Field(default=24, gt=0)
    """How often the daemon copies the database into `backups/`, while it goes on."""
    keep_nightly_backups: int = Field(default=7, ge=1)
    """The newest so many are kept."""
    maintenance_interval_hours: float = Field(default=24, gt=0)
    """How often retention and vacuum run."""


LOCK_NAME = "dashboard.lock"
"""In the state folder; whoever holds its lock is the dashboard."""
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not listened on


class WebSettings(Frozen):
    """The web process that `ouroboros up` starts beside the daemon."""

    enabled: bool = True
    """False: `ouroboros up` starts none; `ouroboros dashboard` does so all the same."""
    host: str = "127.0.0.1"
    """The address to listen on. Anything but a loopback address is answered only with a token."""
    port: int = Field(default=8817, ge=1, le=65535)
    """The port to listen on."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Names under which others reach it, as they stand in the address line: `snake.example.com`, or with `:port`."""
    token_always: bool = False
    """Ask for a token on loopback too: where other people have accounts on this machine, or behind a proxy."""

    @field_validator("host")
    @classmethod
    def _host_is_one_word(cls, host: str) -> str:
        if not host or line(host, 0) != host or any(char in host for char in " /[]"):
            raise ValueError(f"{line(host, 100)!r} is no address such as 127.0.0.1")
        return host

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_look_right(cls, hosts: list[str]) -> list[str]:
        for host in hosts:
            if not host or line(host, 0) != host or any(char in host for char in " /@*"):
                raise ValueError(f"{line(host, 100)!r} is no host such as snake.example.com or snake.example.com:8443")
        return hosts


def url_of(web: WebSettings) -> str:
    """Where a browser on this machine finds it."""
    host = _ANYWHERE.get(web.host, web.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{web.port}"
