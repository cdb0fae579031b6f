"""What passes between a run's two processes: the files of its folder, each whole or absent, and how the worker ends.

| file           | written by | how                                                                              |
|----------------|------------|----------------------------------------------------------------------------------|
| request.json   | parent     | before the child is started; fsynced                                             |
| oom.json       | parent     | before the child is started: how many processes were ended for memory until then |
| claim          | either     | once, exclusively: who has it may work (`worker`) or forbids it (`revoked`)      |
| heartbeat.json | child      | every `heartbeat_interval_s`, in place                                           |
| progress.json  | child      | on a change, at most four times a second; renamed into place                     |
| stop           | parent     | once: the child is asked to save and return; holds the reason                    |
| result.json    | child      | once, as its last act; fsynced                                                   |
| worker.log     | child      | its stdout and stderr                                                            |

Heartbeat and progress are not fsynced: what they say is void after a power cut, when no worker is alive, and an
fsync every few seconds would keep a disk awake for nothing. Request and result are: a result is the only trace of
hours of work.
"""

import os
import uuid
import zlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from runner.worker.observation import OomCount
from schemas.base import Frozen
from schemas.execution import ProcessIdentity, RunRequest, RunResult
from schemas.files import NO_LINKS, open_plain, write_atomic
from schemas.model import PipelineState
from schemas.outside_text import REASON_LIMIT, line, to_json
from schemas.settings import describe

_HEARTBEAT_BYTES = 512
_RESERVE_BYTES = 128 * 1024
_REASON_BYTES = 1000
MOST_BYTES = 16 * 2**20
"""Of a file that is read: what a run tells of itself is never near it."""
_Model = TypeVar("_Model", bound=Frozen)


class WorkerExit(IntEnum):
    """Exit codes of `python -m runner.worker.child`."""

    SUCCEEDED = 0
    """A result was written, and it is a success."""
    NOT_SUCCEEDED = 1
    """A result was written that says why."""
    USAGE = 2
    """Started by hand with the wrong arguments."""
    CLAIM_LOST = 73
    """Somebody else has the run: nothing was done."""
    NO_CLAIM = 74
    """The claim could not be written: nothing was done."""
    NO_RESULT = 75
    """The work ended, but its result could not be written."""


class ClaimRole(StrEnum):
    """What the holder of the claim does with the run."""

    WORKER = "worker"
    REVOKED = "revoked"
    """A recovering daemon took it, so that a child that comes late does no work."""


class Claim(Frozen):
    """Who holds a run."""

    role: ClaimRole
    holder: ProcessIdentity


class Heartbeat(Frozen):
    """The last sign of life of a worker."""

    worker: ProcessIdentity
    beat: int = Field(ge=0)
    monotonic_s: float
    """CLOCK_MONOTONIC, which all processes of one boot share: unlike a time of day it never steps."""
    seal: int = 0
    """CRC-32 of the rest: the file is overwritten in place, so a reader may catch it half written."""

    def sealed(self) -> "Heartbeat":
        """The same with its seal."""
        return self.model_copy(update={"seal": self.checksum()})

    def checksum(self) -> int:
        """What `seal` must be."""
        return zlib.crc32(self.model_dump_json(exclude={"seal"}).encode())


@dataclass(frozen=True)
class UnreadableFile:
    """A file that is there and cannot be used."""

    reason: str
    """Which file, and what is wrong with it."""


@dataclass(frozen=True)
class RunDir:
    """One run's folder. Readers return None for an absent file and `UnreadableFile` for a torn or foreign one."""

    path: Path

    @property
    def log_path(self) -> Path:
        """stdout and stderr of the worker."""
        return self.path / "worker.log"

    @property
    def stop_path(self) -> Path:
        """Its existence is the request to stop."""
        return self.path / "stop"

    def create(self) -> None:
        """Make the folder; harmless when it is there.

        Raises:
            OSError: it cannot be made.
        """
        self.path.mkdir(parents=True, exist_ok=True)

    def write_request(self, request: RunRequest) -> None:
        """Say what the run is. Raises OSError."""
        write_atomic(self.path / "request.json", request.model_dump_json(indent=2) + "\n")

    def read_request(self) -> RunRequest | UnreadableFile | None:
        """What the run is."""
        return self._read("request.json", RunRequest)

    def write_oom_count(self, count: OomCount) -> None:
        """Keep how many processes were ended for want of memory before the run. Raises OSError."""
        write_atomic(self.path / "oom.json", count.model_dump_json() + "\n")

    def read_oom_count(self) -> OomCount | UnreadableFile | None:
        """What `write_oom_count` kept."""
        return self._read("oom.json", OomCount)

    def take_claim(self, role: ClaimRole, holder: ProcessIdentity) -> bool:
        """Take the run, once and for all; False: somebody has it already.

        The claim is a hard link to a finished temporary file: exclusive like O_EXCL, but with its content from the
        first moment. With O_EXCL, which is used where the file system has no hard links, a kill between creation and
        writing would leave a claim whose holder nobody knows.

        Raises:
            OSError: the folder is missing, or full.
        """
        content = Claim(role=role, holder=holder).model_dump_json() + "\n"
        temporary = self.path / f".claim.{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_text(content, encoding="ascii")
            os.link(temporary, self.path / "claim")
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            return self._take_claim_without_links(content)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    def _take_claim_without_links(self, content: str) -> bool:
        try:
            with (self.path / "claim").open("x", encoding="ascii") as handle:
                handle.write(content)
        except FileExistsError:
            return False
        return True

    def read_claim(self) -> Claim | UnreadableFile | None:
        """Who has the run."""
        return self._read("claim", Claim)

    def write_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Overwrite the heartbeat in place, always the same number of bytes.

        A new file and a rename need a free block, and a full disk must not make a live worker look hung; the seal
        gives what the rename would have given. Raises OSError.
        """
        content = heartbeat.sealed().model_dump_json().encode().ljust(_HEARTBEAT_BYTES - 1) + b"\n"
        descriptor = os.open(self.path / "heartbeat.json", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.pwrite(descriptor, content, 0)
        finally:
            os.close(descriptor)

    def read_heartbeat(self) -> Heartbeat | UnreadableFile | None:
        """The last sign of life."""
        heartbeat = self._read("heartbeat.json", Heartbeat)
        if isinstance(heartbeat, Heartbeat) and heartbeat.seal != heartbeat.checksum():
            return UnreadableFile(f"{self.path / 'heartbeat.json'}: caught half written")
        return heartbeat

    def write_progress(self, state: PipelineState) -> None:
        """Tell the state. Raises OSError; the old state stays then."""
        target = self.path / "progress.json"
        temporary = self.path / ".progress.json.tmp"  # one writer, so one name: a kill leaves one at most
        temporary.write_text(to_json(state) + "\n", encoding="utf-8")
        temporary.replace(target)

    def read_progress(self) -> PipelineState | UnreadableFile | None:
        """The state last told."""
        return self._read("progress.json", PipelineState)

    def reserve_result(self) -> None:
        """Hold the room that the result will need, so that it can be told even on a disk that filled up since.

        Raises:
            OSError: the disk is full already.
        """
        descriptor = os.open(self.path / ".result.reserve", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.posix_fallocate(descriptor, 0, _RESERVE_BYTES)
        finally:
            os.close(descriptor)

    def write_result(self, result: RunResult) -> None:
        """Tell how the run ended, on the room held by `reserve_result`. Raises OSError."""
        (self.path / ".result.reserve").unlink(missing_ok=True)
        write_atomic(self.path / "result.json", to_json(result, indent=2) + "\n")

    def read_result(self) -> RunResult | UnreadableFile | None:
        """How the run ended."""
        return self._read("result.json", RunResult)

    def request_stop(self, reason: str) -> None:
        """Ask the worker to save and return; the first reason given stays. Raises OSError.

        The file may be seen before it has its content: the child needs only its existence, and only the daemon that
        writes it, or its successor, reads the reason.
        """
        try:
            descriptor = os.open(self.stop_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return
        try:
            os.write(descriptor, reason.encode())
        finally:
            os.close(descriptor)

    def read_stop(self) -> str | None:
        """Why the worker was asked to stop ("" where that cannot be read); None: it was not."""
        try:
            with open_plain(self.stop_path) as handle:
                return handle.read(_REASON_BYTES).decode(errors="replace").strip()
        except OSError:
            return "" if os.path.lexists(self.stop_path) else None

    def log_tail(self, lines: int = 30) -> list[str]:
        """The last lines of the worker's log, [] without one; reads at most the last 64 KiB.

        Of a log that cannot be read the one line says so: how a run ended must not hang on it.
        """
        try:
            with open_plain(self.log_path) as handle:
                size = handle.seek(0, os.SEEK_END)
                handle.seek(max(0, size - 65536))
                return [line(each) for each in handle.read().splitlines()[-lines:]]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            return [f"(the log cannot be read: {error.strerror}, {self.log_path})"]

    def _read(self, name: str, model: type[_Model]) -> _Model | UnreadableFile | None:
        path = self.path / name
        try:
            with open_plain(path) as handle:  # a job puts whatever it likes into its folder
                data = handle.read(MOST_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return UnreadableFile(f"{path}: {error.strerror}")
        if len(data) > MOST_BYTES:
            return UnreadableFile(f"{path}: larger than {MOST_BYTES:,} bytes")
        try:
            return model.model_validate_json(data)
        except ValidationError as error:
            return UnreadableFile(line(f"{path}: {describe(error)}", REASON_LIMIT))
