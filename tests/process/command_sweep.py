"""Drives every command of `ouroboros` under one odd condition and prints, as JSON, what each answered.

    python command_sweep.py CONDITION FOLDER

Without arguments it is the cradle of such sweeps. A line of the answer: [arguments, exit code, seconds, first lines of
what was printed]. The test beside it judges.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
from cradle import rock

from runner import cli

LASTING = {"up", "dashboard", "tune", "train", "play", "serve", "cluster", "leaf-eval"}
"""Left alone they run until they are stopped: they get at least one value that they must refuse."""
REFUSED = {"damaged": {"up"}, "settings": LASTING, "file": LASTING, "extras": {"train", "serve"}, "read-only": {"up"}}
"""Condition -> those of them that cannot even begin there."""
EXTRAS = {"ray", "torch", "onnx", "onnxruntime", "onnxscript", "safetensors", "pyarrow", "tensorboard", "gymnasium"}
ODD = ("no-such-thing", "-1", "\udcff\x1b[31m", "x" * 5000, "")
PATIENCE_S = 60


class NotInstalled:
    """An import hook: the extras are not there."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def leaves(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=" ".join(words))
        if command.invoke_without_command and words:
            yield words, command
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None, name
            yield from leaves(child, (*words, name))
    else:
        yield words, command


def plain(words: tuple[str, ...], command: click.Command) -> list[str]:
    """The command with something for each argument that it needs."""
    needed = [p for p in command.params if p.required]
    line = list(words)
    for parameter in needed:
        flags = [parameter.opts[0]] if isinstance(parameter, click.Option) else []
        line += [*flags, "0 9 * * *" if parameter.name in ("cron", "line") else "thing"]
    return line


def odd(words: tuple[str, ...], command: click.Command) -> Iterator[list[str]]:
    """The command with one odd value at a time: of each argument, each option, and an option that there is not."""
    yield [*words, "--no-such-option"]
    for number, parameter in enumerate(command.params):
        value = ODD[number % len(ODD)]
        if isinstance(parameter, click.Argument):
            for each in ODD:
                yield [*words, each]
        elif not parameter.is_flag and words[0] not in LASTING:
            yield [*plain(words, command), parameter.opts[-1], value]
        elif not parameter.is_flag and not isinstance(parameter.type, click.types.StringParamType):
            yield [*words, parameter.opts[-1], "no-such-thing"]


def lines(condition: str) -> Iterator[list[str]]:
    """What is typed under a condition."""
    for words, command in leaves(cli.cli):
        if not words:
            continue
        if words[0] not in LASTING or words[0] in REFUSED.get(condition, ()):
            yield plain(words, command)
        if condition == "odd":
            yield from odd(words, command)


def answer(line: list[str]) -> tuple[list[str], int | str, float, str]:
    """Type one line in this process and read what it says."""
    started = time.monotonic()
    with tempfile.TemporaryFile() as told:
        kept = os.dup(1), os.dup(2)
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
        signal.alarm(PATIENCE_S)
        code: int | str
        try:
            code = cli.run(line)
        except BaseException as error:  # noqa: BLE001 - whatever comes out of it is the finding
            code = f"{type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
            sys.stdout.flush()
            sys.stderr.flush()
            for copy, number in zip(kept, (1, 2), strict=True):
                os.dup2(copy, number)
                os.close(copy)
        told.seek(0)
        said = told.read(20_000).decode(errors="backslashreplace")
    return line, code, round(time.monotonic() - started, 2), said


def prepare(condition: str, folder: Path) -> None:
    """Make the condition; the state folder's own tests know more of each."""
    home = folder / "home"
    os.chdir(folder)
    os.environ["OUROBOROS_HOME"] = str(home)
    os.environ.pop("OUROBOROS_CONFIG", None)
    if condition == "extras":
        sys.meta_path.insert(0, NotInstalled())
    if condition in ("odd", "extras", "damaged"):
        answer(["init"])
    if condition == "damaged":
        (home / "automation_tracking.db").write_bytes(b"this is no database" * 1000)
        for log in home.glob("automation_tracking.db-*"):
            log.unlink()
    if condition == "settings":
        home.mkdir()
        (home / "settings.json").write_bytes(b'{"scheduler": \xff "\\ud800"')
    if condition == "file":
        home.write_text("a file stands where the folder should be")
    if condition == "name":
        os.environ["OUROBOROS_HOME"] = os.fsdecode(os.fsencode(folder) + b"/h\xff\nome")


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def sweep(condition: str, folder: str) -> None:
    """Type all lines of a condition."""
    os.environ["COLUMNS"] = "100"
    signal.signal(signal.SIGALRM, interrupt)
    if condition != "read-only":  # the test mounted that folder, with a history in it
        prepare(condition, Path(folder))
    else:
        os.environ["OUROBOROS_HOME"] = folder
        os.chdir(tempfile.gettempdir())
    print(json.dumps([answer(line) for line in lines(condition)]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sweep(*sys.argv[1:])
    else:
        for _ in leaves(cli.cli):  # each imports its file
            pass
        for heavy in ("pipeline.orchestrator.job", "pipeline.leaf_eval.fitting", "runner.web.app"):
            import_module(heavy)
        rock(sweep)
