"""`DistributedTrainingRunner`: one machine's part in several machines at one queue of games.

The façade starts a node process, which outlives it, and asks the cluster through another one: Ray is loaded in neither
the daemon nor the command line.
"""

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from pydantic import ValidationError

from runner.cluster_node import LOCK_NAME
from runner.cluster_ray import route_to
from runner.single_instance import is_held
from schemas.cluster import (
    NOTE_NAME,
    TOKEN_VARIABLE,
    ClusterReport,
    NodeNote,
    NodeRequest,
    NodeRole,
    cluster_dir,
    process_began,
    ray_variables,
    token_path,
)
from schemas.errors import BadInputError, MachineError, OuroborosError, StateError
from schemas.files import write_atomic
from schemas.outside_text import REASON_LIMIT, error_line, line, to_json
from schemas.settings import Settings, get_config

_TOKEN_BYTES = 32
_PORT = re.compile(r"[0-9]{1,5}")
_ANYWHERE = "192.0.2.1"
"""An address that is nobody's (RFC 5737): the way to it is the way to everybody."""
GROUP = "ouroboros.cluster"


class DistributedTrainingRunner:
    """A master, beside which the runs are, or a worker, which lends its cores to them.

    Args:
        node_type: `master` or `worker`.
        master_address: `IP:PORT` of the master; for a worker only.
        settings: default: `get_config()`.
        token: the master's, for a worker; None: the one that `join_cluster` finds.

    Raises:
        BadInputError: no such type, or a worker without a master's address.
    """

    def __init__(
        self,
        node_type: str,
        master_address: str | None = None,
        *,
        settings: Settings | None = None,
        token: str | None = None,
    ) -> None:
        self._token = token
        try:
            self._role = NodeRole(node_type)
        except ValueError:
            raise BadInputError(
                "no such type of node", where=line(str(node_type), 100), remedy="It is `master` or `worker`."
            ) from None
        self._settings = (settings or get_config()).located()
        self._master = checked_address(master_address) if self._role is NodeRole.WORKER else ""
        self._name = self._settings.cluster.name or os.uname().nodename

    def start_cluster(self) -> NodeNote:
        """Be the head: from now on runs of this state folder play on every machine that joins.

        Raises:
            BadInputError: a worker starts no cluster; the address cannot be used.
            StateError: this state folder is in a cluster already.
            MachineError: Ray is missing or does not start; says why.
        """
        if self._role is not NodeRole.MASTER:
            raise BadInputError("a worker starts no cluster", remedy="Use node_type='master', or join_cluster().")
        host = self._settings.cluster.address or route_to(_ANYWHERE)
        _refuse_this_machine_only(host)
        self._prepare()
        if not token_path(self._settings.home).exists():
            keep_token(self._settings.home, secrets.token_hex(_TOKEN_BYTES))
        head = f"{host}:{self._settings.cluster.port}"
        return self._start(NodeRequest(role=self._role, head=head, host=host, name=self._name))

    def join_cluster(self) -> NodeNote:
        """Lend this machine's cores to the master's runs, whenever its own guards allow it.

        The token is the master's: the one given, in `OUROBOROS_CLUSTER_TOKEN`, or in the file that it has there, copied
        here. What is kept here from before stays until this state folder is known to be in no cluster.

        Raises:
            BadInputError: a master joins nobody; there is no token.
            StateError: this state folder is in a cluster already.
            MachineError: Ray is missing or does not start; says why.
        """
        if self._role is not NodeRole.WORKER:
            raise BadInputError("a master joins nobody", remedy="Use node_type='worker', or start_cluster().")
        self._prepare()
        given = self._token if self._token is not None else os.environ.get(TOKEN_VARIABLE) or None
        if given is not None:
            keep_token(self._settings.home, given)
        if not token_path(self._settings.home).exists():
            raise BadInputError(
                "there is no token to join with",
                where=str(token_path(self._settings.home)),
                remedy=f"Copy that file from the master's state folder, or set {TOKEN_VARIABLE}.",
            )
        host = self._settings.cluster.address or route_to(self._master.rpartition(":")[0])
        _refuse_this_machine_only(host)
        return self._start(NodeRequest(role=self._role, head=self._master, host=host, name=self._name))

    def _prepare(self) -> None:
        _require_ray()
        folder = cluster_dir(self._settings.home)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateError(f"cannot make the cluster's folder: {error.strerror}", where=str(folder)) from error
        if is_held(folder / LOCK_NAME):
            raise StateError(
                "this state folder is in a cluster already",
                where=str(folder),
                remedy="`ouroboros cluster stop` takes it out.",
            )

    def _start(self, request: NodeRequest) -> NodeNote:
        folder = cluster_dir(self._settings.home)
        with (folder / "node.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runner.cluster_node"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        assert process.stdin is not None
        assert process.stdout is not None
        asked = f"{self._settings.model_dump_json()}\n{request.model_dump_json()}\n".encode()
        try:
            with suppress(BrokenPipeError), process.stdin:  # it has ended already
                process.stdin.write(asked)
            with process.stdout:
                said = process.stdout.readline().decode(errors="replace")  # its start has a deadline of its own
        except BaseException:  # Ctrl+C while it starts: it has a session of its own, and would stay
            process.terminate()
            raise
        trouble = said.strip() if said else f"the node process ended at once; its log: {folder / 'node.log'}"
        if trouble:
            process.wait()
            raise _Told(trouble)
        note = own_note(self._settings.home)
        if note is None:
            raise MachineError("the node process ended at once", where=str(folder / "node.log"))
        return note


class _Told(MachineError):
    """What a node process said of its failure, which is a whole sentence already."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.args = (words,)


def own_note(home: Path) -> NodeNote | None:
    """This state folder's part in a cluster; None: it has none."""
    folder = cluster_dir(home)
    if not is_held(folder / LOCK_NAME):
        return None
    try:
        return NodeNote.model_validate_json((folder / NOTE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def ask(settings: Settings, question: str, name: str = "") -> ClusterReport:
    """Ask the cluster that this state folder belongs to.

    Args:
        question: `census` or `drain`.

    Raises:
        StateError: it belongs to none. MachineError: no answer in time, or a trouble, in a sentence.
    """
    note = own_note(settings.home)
    if note is None:
        raise StateError(
            "this state folder is in no cluster",
            where=str(settings.home),
            remedy="`ouroboros cluster start` makes one, `ouroboros cluster join ADDRESS` joins one.",
        )
    limit_s = settings.cluster.start_timeout_s
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "runner.cluster", question, note.head, note.host, name, str(limit_s)],
            env={**os.environ, **ray_variables(token_path(settings.home))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MachineError(
            f"the head did not answer within {limit_s:g} s", where=note.head, remedy="Look whether it still runs."
        ) from None
    try:
        report = ClusterReport.model_validate_json(done.stdout)
    except ValidationError:
        words = line(done.stderr[-1000:].strip().rpartition(b"\n")[2] or b"it said nothing", REASON_LIMIT)
        raise MachineError(f"the cluster could not be asked: {words}", where=note.head) from None
    if report.trouble:
        raise _Told(report.trouble)
    return report


def leave(settings: Settings) -> NodeNote:
    """Take this machine out of its cluster: its games go back to the others, or, on a head, to its own runs.

    Raises:
        StateError: it is in none. MachineError: its process does not end.
    """
    note = own_note(settings.home)
    if note is None:
        raise StateError("this state folder is in no cluster", where=str(settings.home))
    if process_began(note.pid) == note.began:
        os.kill(note.pid, signal.SIGTERM)
    deadline = time.monotonic() + settings.cluster.start_timeout_s
    while is_held(cluster_dir(settings.home) / LOCK_NAME):
        if time.monotonic() > deadline:
            raise MachineError("its process does not end", where=f"process {note.pid}", remedy="Kill it by hand.")
        time.sleep(0.1)
    return note


def keep_token(home: Path, token: str) -> None:
    """Keep the shared secret where only its owner reads it.

    Raises:
        BadInputError: it is no token. StateError: it cannot be written.
    """
    text = token.strip()
    if not text.isalnum() or not text.isascii() or not 16 <= len(text) <= 512:
        raise BadInputError("that is no token", remedy="It is the one line in the master's `cluster/token`.")
    try:
        cluster_dir(home).mkdir(parents=True, exist_ok=True)
        write_atomic(token_path(home), text, private=True)
    except OSError as error:
        raise StateError(f"the token cannot be kept: {error.strerror}", where=str(token_path(home))) from error


def checked_address(address: str | None) -> str:
    """A master's address.

    Raises:
        BadInputError: it is not of the form `HOST:PORT`.
    """
    host, _, port = (address or "").rpartition(":")
    if not host or not _PORT.fullmatch(port) or not 0 < int(port) < 65536 or line(host, 0) != host:
        raise BadInputError(
            "a worker needs its master's address",
            where=line(address or "none was given", 100),
            remedy="It is IP:PORT, as `ouroboros cluster start` shows it there.",
        )
    return f"{host}:{port}"


def _refuse_this_machine_only(host: str) -> None:
    if host in ("127.0.0.1", "localhost", "::1", "0.0.0.0"):  # noqa: S104 - refused
        raise BadInputError(
            "no other machine reaches this one at that address",
            where=host,
            remedy="Name its address in your network (`cluster.address`); to try it on one machine, 127.0.0.2.",
        )


def _require_ray() -> None:
    if find_spec("ray") is None:
        raise MachineError(
            "ray is not installed", where="ouroboros cluster", remedy="Install it: pip install 'ouroboros[cluster]'."
        )


def main() -> None:
    """The other process, `python -m runner.cluster QUESTION HEAD HOST NAME SECONDS`: ask, print a `ClusterReport`.

    What speaks Ray is an entry point of group `ouroboros.cluster`: this package never imports it, and what hangs in it
    is ended with this process. Whatever libraries print goes to standard error.
    """
    answer_to = os.dup(1)
    os.dup2(2, 1)
    question, *arguments = sys.argv[1:]
    os.write(answer_to, to_json(_report(question, arguments)).encode())
    os._exit(0)  # Ray's threads may wait for a head that has gone


def _report(question: str, arguments: list[str]) -> ClusterReport:
    try:
        (point,) = entry_points(group=GROUP, name=question)
        report: ClusterReport = point.load()(*arguments)
    except OuroborosError as error:
        return ClusterReport(trouble=line(str(error), REASON_LIMIT))
    except Exception as error:  # noqa: BLE001 - the command tells of it
        return ClusterReport(trouble=error_line(error))
    return report


if __name__ == "__main__":
    main()
