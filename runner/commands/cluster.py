"""`ouroboros cluster`: several machines at one queue of games."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import click
from rich.text import Text

from runner.commands.output import Column, console, emit, formatted, listing
from schemas.cluster import TOKEN_VARIABLE, ClusterSettings, NodeNote, NodeReport, NodeState, process_began, token_path
from schemas.errors import BadInputError, OuroborosError
from schemas.outside_text import line
from schemas.settings import Settings, get_config

_COLUMNS = (
    Column("node", whole=True),
    Column("address", whole=True),
    Column("cores", whole=True),
    Column("state", whole=True),
    Column("says"),
)
_COLOURS = {NodeState.READY: "green", NodeState.HEAD: "green", NodeState.GUARDED: "yellow", NodeState.SILENT: "red"}
_TOKEN_MOST = 10_000
_foreground = click.option("--foreground", is_flag=True, help="Stay until Ctrl+C or SIGTERM, for a service manager.")
_address = click.option("--address", help="This machine's address in the network.  [default: found by its route]")
_port = click.option("--port", type=int, help="First of 110 ports that are used here.  [default: 6380]")
_name = click.option("--name", help="What the others call this machine.  [default: its host name]")


@click.group()
def cluster() -> None:
    """Let other machines play the games of this one's runs.

    Example: ouroboros cluster start
    """


@cluster.command()
@_address
@_port
@_name
@_foreground
def start(address: str | None, port: int | None, name: str | None, foreground: bool) -> None:
    """Be the head: the runs of this state folder then play on every machine that joins.

    Example: ouroboros cluster start --address 192.168.1.100
    """
    from runner.cluster import DistributedTrainingRunner

    settings = _with(get_config(), address=address, port=port, name=name)
    note = DistributedTrainingRunner("master", settings=settings).start_cluster()
    click.echo(f"The head is up at {note.head}. On each other machine, with this file copied to it:")
    click.echo(f"  ouroboros cluster join {note.head} --token-file {token_path(settings.home).name}")
    click.echo(f"  ({token_path(settings.home)}: whoever has it may run programs on these machines)")
    _stay(note, foreground)


@cluster.command()
@click.argument("master")
@click.option("--token-file", type=click.Path(path_type=Path), help="The master's `cluster/token`, copied here.")
@click.option("--cores", type=int, help="Cores to lend.  [default: all]")
@_address
@_port
@_name
@_foreground
def join(
    master: str,
    token_file: Path | None,
    cores: int | None,
    address: str | None,
    port: int | None,
    name: str | None,
    foreground: bool,
) -> None:
    """Lend this machine's cores to the runs at MASTER (IP:PORT), whenever its own guards allow it.

    Example: ouroboros cluster join 192.168.1.100:6380 --token-file token
    """
    from runner.cluster import DistributedTrainingRunner, checked_address

    settings = _with(get_config(), address=address, port=port, cores=cores, name=name)
    checked_address(master)  # before somebody is asked for a token
    token = _token(settings, token_file)
    note = DistributedTrainingRunner("worker", master, settings=settings, token=token).join_cluster()
    click.echo(f"This machine plays for {note.head} now, as {note.host}. `ouroboros cluster stop` ends it.")
    _stay(note, foreground)


@cluster.command()
@formatted
def status(as_json: bool) -> None:
    """Show who is there, and what each machine's guards say.

    Example: ouroboros cluster status
    """
    from runner.cluster import ask

    report = ask(get_config(), "census")
    if as_json:
        emit([node.model_dump(mode="json") for node in report.nodes])
        return
    console.print(listing(_COLUMNS, map(_row, sorted(report.nodes, key=lambda node: node.state != NodeState.HEAD))))


@cluster.command()
@click.argument("node")
def drain(node: str) -> None:
    """Let NODE (its name or address) play what it has, take nothing new, and leave.

    Example: ouroboros cluster drain desk
    """
    from runner.cluster import ask

    ask(get_config(), "drain", line(node, 200))
    click.echo(f"{line(node, 200)} takes nothing new, and leaves once it has played what it has.")


@cluster.command()
def stop() -> None:
    """Take this machine out; from a head, runs go on alone, and the nodes wait for it to come back.

    Example: ouroboros cluster stop
    """
    from runner.cluster import leave

    note = leave(get_config())
    click.echo(f"This machine is out of the cluster at {note.head}.")


def _with(settings: Settings, **given: object) -> Settings:
    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        return settings
    from pydantic import ValidationError

    from schemas.settings import describe

    try:
        cluster = ClusterSettings.model_validate(settings.cluster.model_dump() | changes)
    except ValidationError as error:
        raise BadInputError(line(describe(error), 300), where="options of the command") from error
    return settings.model_copy(update={"cluster": cluster})


def _token(settings: Settings, file: Path | None) -> str | None:
    """The token that was given; None: the one that is here already, or in the environment."""
    if file is not None:
        try:
            with file.open("rb") as handle:
                return handle.read(_TOKEN_MOST).decode("utf-8", "replace")
        except OSError as error:
            raise BadInputError(f"the token cannot be read: {error.strerror}", where=line(str(file), 200)) from error
    if os.environ.get(TOKEN_VARIABLE) or token_path(settings.home).exists() or not sys.stdin.isatty():
        return None
    return str(click.prompt("The master's token", hide_input=True))


def _stay(note: NodeNote, foreground: bool) -> None:
    """Until a signal, which ends the node, or until the node ends by itself.

    Raises:
        OuroborosError: it ended otherwise than in good order: a service manager is to see that.
    """
    if not foreground:
        return

    def end(*_: object) -> None:  # said twice, the first may have done it, and the number may be another's
        with suppress(ProcessLookupError):
            if process_began(note.pid) == note.began:
                os.kill(note.pid, signal.SIGTERM)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    while process_began(note.pid) == note.began:
        time.sleep(0.2)
    with suppress(ChildProcessError):
        code = os.waitstatus_to_exitcode(os.waitpid(note.pid, 0)[1])
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise OuroborosError(f"the node process has ended with {how}", remedy="Its log: cluster/node.log.")


def _row(node: NodeReport) -> list[str | Text]:
    state = Text(node.state.value, _COLOURS.get(node.state, "yellow"))
    return [line(node.name), node.address, str(node.cores or "-"), state, line(node.reason, 200)]
