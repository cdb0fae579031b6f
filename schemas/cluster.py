"""Several machines at one queue of games: what is lent, what a node says of itself, and who is there."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator

from schemas.base import Frozen
from schemas.machine import GuardDecision, ResourceRequirements
from schemas.outside_text import line

TOKEN_VARIABLE = "OUROBOROS_CLUSTER_TOKEN"
NODE_FOLDER_VARIABLE = "OUROBOROS_CLUSTER_NODE"
"""In the environment of everything that runs on a node: the folder that its node process and its players share."""
ANSWER_NAME, DRAIN_NAME, NOTE_NAME = "answer.json", "drain", "node.json"
PLAYING_NAME = "playing"
"""A folder with a file for each process that plays."""
ANSWER_GOOD_S = 30.0
"""An answer older than this is none: the node's own process has gone, or hangs."""


class ClusterSettings(Frozen):
    """What `ouroboros cluster` listens on, lends and asks of a machine before it takes work."""

    address: str | None = None
    """This machine's address as the other nodes see it; None: the one from which the network is reached."""
    port: int = Field(default=6380, ge=1024, le=65000)
    """Where a head listens. The ports up to `port` + 109 are a node's too: a firewall needs to open no others."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,100}$")
    """What the others call this machine; None: its host name."""
    cores: int | None = Field(default=None, ge=1)
    """Cores that this machine lends to the games of others; None: all that it may use."""
    object_store_mb: int = Field(default=80, ge=75)
    """Shared memory that Ray sets aside. Games and weights are small and go by value, so the smallest does."""
    requirements: ResourceRequirements = Field(
        default_factory=lambda: ResourceRequirements(min_free_memory_gb=1, min_free_disk_gb=1, max_cpu_usage_percent=60)
    )
    """What must be free here before games of others are taken; CPU that they use themselves does not count."""
    answer_interval_s: float = Field(default=2, gt=0, le=10)
    """How often the guards are asked."""
    start_timeout_s: float = Field(default=60, gt=0)
    """How long a start, a join, a question or a stop may take."""

    @field_validator("address")
    @classmethod
    def _address_is_one_word(cls, address: str | None) -> str | None:
        if address is None:
            return None
        if not address or line(address, 0) != address or any(char in address for char in " /[]:"):
            raise ValueError(f"{line(address, 100)!r} is no address such as 192.168.1.100")
        return address


class NodeIdentity(Frozen):
    """What decides whether two machines play the same games, and measure the same milliseconds."""

    version: str
    """Of this program, with a digest of the code that plays."""
    python: str
    """Major and minor."""
    machine: str
    """`x86_64`, `aarch64`: floating-point results may differ in the last bit between them."""
    cpu: str
    """The model's name: milliseconds are comparable only on one model."""

    def refusal(self, other: "NodeIdentity", *, one_model: bool) -> str:
        """Why `other` may not play for this machine, in a clause; empty: it may.

        Args:
            one_model: what is played depends on the model of processor: it is measured in milliseconds, or adds up what
                another one may round otherwise.
        """
        for name, mine, theirs in (
            ("version", self.version, other.version),
            ("Python", self.python, other.python),
            ("kind of processor", self.machine, other.machine),
        ):
            if mine != theirs:
                return f"its {name} is {theirs}, not {mine}, so its games need not be the same"
        if one_model and self.cpu != other.cpu:
            return f"its processor is {other.cpu}, not {self.cpu}, and what is played depends on that"
        return ""


class NodeAnswer(Frozen):
    """What a node's process says of its machine, in `ANSWER_NAME`."""

    decision: GuardDecision
    said_at_s: float
    """On the machine's monotonic clock: a wall clock that is wrong does no harm."""
    cores: int


class NodeState(StrEnum):
    """What a node does."""

    HEAD = "head"
    """The runs are here; they play on this machine without Ray."""
    READY = "ready"
    """It takes games."""
    GUARDED = "guarded"
    """Its own guards say no."""
    DRAINING = "draining"
    """It ends what it plays, takes nothing new, and leaves."""
    SILENT = "silent"
    """It is listed, and does not answer."""
    REFUSED = "refused"
    """Another version or kind of processor."""


class NodeReport(Frozen):
    """A node as `ouroboros cluster status` shows it."""

    name: str
    """What `drain` takes."""
    address: str
    state: NodeState
    reason: str
    cores: int = 0
    cpu: str = ""


class ClusterReport(Frozen):
    """Everybody who is there; or why that cannot be told."""

    nodes: tuple[NodeReport, ...] = ()
    trouble: str = ""


class NodeRole(StrEnum):
    """What a machine is in the cluster."""

    MASTER = "master"
    WORKER = "worker"


class NodeNote(Frozen):
    """This state folder's part in a cluster, in `NOTE_NAME`; the file is there while its node process is."""

    role: NodeRole
    head: str
    """`HOST:PORT` of the head."""
    host: str
    """This machine's address."""
    pid: int
    """Of the node process."""
    began: str
    """See `process_began`: another process may have this number later."""
    ray_folder: str
    """Where Ray keeps its sockets and logs."""


def process_began(pid: int) -> str:
    """What no other process of this number has: which start of the machine it belongs to, and when since then it began,
    in ticks (proc(5)); "": there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # a program's name may hold anything
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else f"{boot}/{fields[19]}"


class NodeRequest(Frozen):
    """What a node process is started with."""

    role: NodeRole
    head: str
    host: str
    name: str


def cluster_dir(home: Path) -> Path:
    """Where everything of the cluster lies in a state folder."""
    return home / "cluster"


def token_path(home: Path) -> Path:
    """The shared secret; only its owner may read it."""
    return cluster_dir(home) / "token"


def ray_variables(token: Path) -> dict[str, str]:
    """The environment in which Ray asks everybody for the token, reports nothing to anybody, and keeps its own counsel.

    The variables are Ray's: token authentication (2.52 and later), usage statistics, and threads for metrics.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token.absolute()),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
