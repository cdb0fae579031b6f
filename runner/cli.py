"""The command line: find the command, run it, turn errors into exit codes.

Commands of other packages come in by entry points of group `ouroboros.commands`, so that this package imports none
of them and a start stays quick.
"""

import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, cast

import click

from runner.imports import uncollected
from schemas.errors import BadInputError, MachineError, OuroborosError
from schemas.outside_text import ERROR_LIMIT, error_line, line, passage

COMMAND_GROUP = "ouroboros.commands"
_OWN = {
    "init": "runner.commands.database:init",
    "up": "runner.commands.up:up",
    "status": "runner.commands.status:status",
    "top": "runner.commands.top:top",
    "completion": "runner.commands.completion:completion",
    "history": "runner.commands.status:history",
    "schedules": "runner.commands.schedules:schedules",
    "triggers": "runner.commands.triggers:triggers",
    "trigger": "runner.commands.control:trigger",
    "pause": "runner.commands.control:pause",
    "resume": "runner.commands.control:resume",
    "stop": "runner.commands.control:stop",
    "cancel": "runner.commands.control:cancel",
    "why": "runner.commands.why:why",
    "next": "runner.commands.why:next_fires",
    "explain": "runner.commands.why:explain",
    "notify": "runner.commands.notify:notify",
    "db": "runner.commands.database:database",
    "doctor": "runner.commands.doctor:doctor",
    "dashboard": "runner.commands.dashboard:dashboard",
    "config": "runner.commands.config:config",
    "cluster": "runner.commands.cluster:cluster",
}


class _ReaderGoneError(Exception):
    """Nobody reads what is printed. click would end the program with 1 at a BrokenPipeError."""


class LazyGroup(click.Group):
    """Imports a command's file only when that command, or the list of all, is asked for."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As click's; here `--help` prints."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def invoke(self, ctx: click.Context) -> Any:
        """As click's."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderGoneError from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Own commands and those of installed packages."""
        return sorted({*_OWN, *(point.name for point in entry_points(group=COMMAND_GROUP))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None where nobody offers it."""
        with uncollected():
            if cmd_name in _OWN:
                module, _, attribute = _OWN[cmd_name].partition(":")
                return cast(click.Command, getattr(import_module(module), attribute))
            for point in entry_points(group=COMMAND_GROUP, name=cmd_name):
                return _loaded(point)
        return None


def _loaded(point: EntryPoint) -> click.Command:
    """The command of another package; for one that cannot be loaded a stand-in: the others are listed all the same."""
    try:
        found = point.load()
    except Exception as error:  # noqa: BLE001 - anybody's code
        return _stand_in(point, error)
    if isinstance(found, click.Command):
        return found
    return _stand_in(point, TypeError(f"it is a {type(found).__name__}, not a command of click's"))


def _stand_in(point: EntryPoint, error: Exception) -> click.Command:
    def refuse() -> NoReturn:
        from runner import crash_report

        missing = crash_report.missing_package(error, point.name) if isinstance(error, ModuleNotFoundError) else None
        raise missing or MachineError(
            f"this command cannot be loaded: {error_line(error)}",
            where=line(point.value),
            remedy="Mend, reinstall or remove the package that offers it.",
        )

    return click.Command(
        point.name,
        callback=refuse,
        help=f"(Cannot be loaded: {error_line(error, 60)})",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ouroboros")
def cli() -> None:
    """Trains Battlesnakes round the clock.

    `ouroboros up` starts the daemon; everything else talks to it through its database. State lies in `automation/`,
    or where OUROBOROS_HOME says.

    Example: ouroboros status
    """


def main() -> NoReturn:
    """The console script: 0 done, 1 failed, 2 bad input or an unusable machine, 75 the database is busy or its disk
    full just now, 130 interrupted."""
    _open_standard_streams()
    code = run(sys.argv[1:])
    _let_go_of_output()
    sys.exit(code)


def _open_standard_streams() -> None:
    """Where a caller closed one, the next file that is opened would bear its number, the database say, and take what
    some library prints."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number is this one


def _let_go_of_output() -> None:
    """What nobody took is not offered again at exit: Python would end with a code of its own, 120."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # it was closed when we began
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; errors are told on standard error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # what the terminal's encoding has not is shown by its number
            stream.reconfigure(errors="backslashreplace")
    try:
        _check_encoding(arguments)
        answer = cli.main(args=arguments, prog_name="ouroboros", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return 2
    except OuroborosError as error:
        click.echo(f"error: {passage(str(error), ERROR_LIMIT)}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    except _ReaderGoneError:
        # The reader (head, less) has what it wanted: nothing more to say, and Python must not try to at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - no traceback reaches a user: it is kept, and one line is told
        return _unforeseen(error, arguments)
    return answer if isinstance(answer, int) else 0


def _check_encoding(arguments: list[str]) -> None:
    """Refuse what is no UTF-8, but for the names of files that are there: it can be looked up nowhere."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            if not Path(argument).exists():
                raise BadInputError("this argument is not UTF-8 text", where=line(argument)) from error


def _unforeseen(error: Exception, arguments: list[str]) -> int:
    from runner import crash_report

    told = crash_report.refused_by_system(error, arguments)
    if isinstance(error, ModuleNotFoundError):
        told = crash_report.missing_package(error, arguments[0] if arguments else "")
    if told is not None:
        click.echo(f"error: {told}", err=True)
        return told.exit_code
    click.echo(crash_report.report(error, arguments, datetime.now(UTC)), err=True)
    return 1
