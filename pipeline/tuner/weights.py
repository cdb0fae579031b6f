"""A snake's weights file: which numbers stand in it, and the same text with some of them changed.

Values are replaced where they stand in the text, so comments, order, quoting and blank lines stay as they are.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from schemas.errors import SnakeError
from schemas.tuning_run import WeightValue

_TAG = "tag:yaml.org,2002:"
_KINDS = {f"{_TAG}bool": bool, f"{_TAG}int": int, f"{_TAG}float": float, f"{_TAG}str": str}
_BOUNDS_IN_COMMENT = re.compile(r"#\s*\[\s*([^,\]\s]+)\s*,\s*([^,\]\s]+)\s*\]")
_CHOICES_IN_COMMENT = re.compile(r"#\s*\{([^}]*)\}")
_CHOICE = re.compile(r"[A-Za-z0-9_.+-]+")
_TAB_BEHIND_TEXT = re.compile(r"(?m)(?<=\S)[ \t]*\t[ \t]*")
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
"""What may stand before a value: its anchor and its tag."""
_OCTAL_TO_SOME = re.compile(r"[-+]?0[0-7_]*[1-7][0-7_]*[0-7]_*")
"""`017` is 17 by YAML 1.2, and 15 to Go's reader and by YAML 1.1."""
MOST_BYTES = 4 << 20
LARGEST = 1e15
"""A number beyond is no weight: a mask, a hash, a stand-in for infinity. Whole numbers are exact up to here."""


@dataclass(frozen=True)
class Weight:
    """One number, switch or word of the file; a word only where its line declares what else it may be."""

    path: str
    """Keys from the top, joined by dots; places in a list are numbers."""
    value: WeightValue
    line: int
    declared: tuple[float, float] | None
    """Bounds declared on its line as `# [lowest, highest]`."""
    start: int
    end: int
    """Its characters in the text: `text[start:end]`, quotes included."""
    choices: tuple[WeightValue, ...] = ()
    """What it may be, declared on its line as `# {one, another}`; empty: not declared."""


@dataclass(frozen=True)
class WeightFile:
    """A weights file as text, and the weights in it."""

    text: str
    weights: Mapping[str, Weight]
    where: str
    """Its name in error messages."""

    @property
    def values(self) -> dict[str, WeightValue]:
        """Path -> value, in the order of the file."""
        return {path: weight.value for path, weight in self.weights.items()}

    @property
    def hash(self) -> str:
        """SHA-256 of the text: two files with one hash are the same configuration."""
        return hash_of(self.text)

    def changed(self, values: Mapping[str, WeightValue]) -> "WeightFile":
        """The same file with these weights set; a value of another kind than the present one is refused.

        Raises:
            SnakeError: a path that the file does not have, or a value of the wrong kind.
        """
        for path, value in values.items():
            self._require_kind(path, value)
        pieces: list[str] = []
        done = shift = 0
        moved: dict[str, Weight] = {}
        for path, weight in sorted(self.weights.items(), key=lambda item: item[1].start):
            written, value = self.text[weight.start : weight.end], weight.value
            if path in values:
                written, value = _written(values[path], written)
            start = weight.start + shift
            pieces += [self.text[done : weight.start], written]
            done, shift = weight.end, shift + len(written) - (weight.end - weight.start)
            moved[path] = replace(weight, value=value, start=start, end=start + len(written))
        text = "".join([*pieces, self.text[done:]])
        return WeightFile(text, {path: moved[path] for path in self.weights}, self.where)

    def _require_kind(self, path: str, value: WeightValue) -> None:
        if path not in self.weights:
            raise SnakeError(f"there is no weight {path!r}", where=self.where)
        kind = type(self.weights[path].value)
        if type(value) is not kind or (not isinstance(value, str) and not math.isfinite(value)):
            raise SnakeError(
                f"weight {path} is of kind {kind.__name__} and cannot become {value!r}",
                where=f"{self.where}:{self.weights[path].line}",
            )


def overridden(weights: WeightFile, values: Mapping[str, WeightValue]) -> WeightFile:
    """The file with these weights set, each value brought to its weight's kind; paths that it lacks are left out."""
    fitting = {path: _as_kind(weights.values[path], value) for path, value in values.items() if path in weights.weights}
    return weights.changed(fitting)


def _as_kind(present: WeightValue, value: WeightValue) -> WeightValue:
    """A number as a whole or a decimal one, as the present value is; else as it is, for `changed` to judge."""
    if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    whole = type(present) is int and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value


def hash_of(text: str) -> str:
    """SHA-256 of a weights file's text, in hexadecimal."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def loaded(text: str) -> Any:
    """What YAML text says, as plain dictionaries, lists and values.

    Raises:
        YAMLError, ValueError, RecursionError: it is malformed.
    """
    return YAML(typ="safe", pure=True).load(_without_tabs(text))


def _without_tabs(text: str) -> str:
    """The text with a blank for each tab that follows something on its line, which YAML allows and other readers take,
    and ours does not; every character stays in its place."""
    return _TAB_BEHIND_TEXT.sub(lambda match: " " * len(match[0]), text)


def read(path: Path) -> WeightFile:
    """Read a weights file.

    Raises:
        SnakeError: missing, unreadable, too large, malformed, or without a single weight; names file and line.
    """
    try:
        if path.exists() and not path.is_file():
            raise SnakeError("the weights file cannot be read: it is no file", where=str(path))
        with path.open("rb") as handle:
            content = handle.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise SnakeError(f"the weights file is larger than {MOST_BYTES >> 20} MiB", where=str(path))
        text = content.decode()
    except FileNotFoundError as error:
        raise SnakeError(
            "there is no weights file", where=str(path), remedy="Name it with --config-file, relative to --snake-dir."
        ) from error
    except OSError as error:
        raise SnakeError(f"the weights file cannot be read: {error.strerror}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise SnakeError(f"the weights file is not UTF-8 text: {error}", where=str(path)) from error
    return parse(text, str(path))


@lru_cache(maxsize=64)
def parse(text: str, where: str) -> WeightFile:
    """Find the weights in YAML text; parsing is slow, so the last texts are remembered.

    Raises:
        SnakeError: as `read`.
    """
    try:
        tree = loaded(text)
        root = YAML(typ="safe", pure=True).compose(_without_tabs(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise SnakeError(f"the weights file is malformed YAML: {error.problem}", where=where + line) from error
    except (YAMLError, ValueError) as error:
        raise SnakeError(f"the weights file is malformed YAML: {error}", where=where) from error
    except RecursionError as error:
        raise SnakeError("the weights file is nested too deep", where=where) from error
    if not isinstance(tree, dict):
        raise SnakeError("the weights file holds no keys and values", where=where)
    weights: dict[str, Weight] = {}
    for path, node, value in _scalars(root, tree, "", set()):
        if path in weights:
            raise SnakeError(f"two weights are called {path!r}", where=f"{where}:{node.start_mark.line + 1}")
        if isinstance(value, float) and not math.isfinite(value):
            raise SnakeError(f"weight {path} is not finite", where=f"{where}:{node.start_mark.line + 1}")
        if not isinstance(value, str) and abs(value) > LARGEST:
            continue
        weight = _weight_at(text, path, node, value)
        if isinstance(value, int) and _OCTAL_TO_SOME.fullmatch(text, weight.start, weight.end):
            continue  # nobody knows which number the snake reads
        if weight.choices or not isinstance(value, str):
            weights[path] = weight
    if not weights:
        raise SnakeError("the weights file holds no number and no switch to tune", where=where)
    return WeightFile(text, weights, where)


def _scalars(node: Any, value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, ScalarNode, WeightValue]]:
    """Every number, switch and word once: what an alias repeats belongs to its anchor."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, MappingNode) and isinstance(value, dict):
        for key_node, child in node.value:
            for key in _keys_written(key_node, value):
                yield from _scalars(child, value[key], f"{path}.{key_node.value}" if path else key_node.value, seen)
    elif isinstance(node, SequenceNode) and isinstance(value, list):
        for place, (child, item) in enumerate(zip(node.value, value, strict=True)):
            yield from _scalars(child, item, f"{path}.{place}", seen)
    elif isinstance(value, bool | int | float | str) and isinstance(node, ScalarNode) and _kind_of(node) is type(value):
        yield path, node, value


def _keys_written(node: Any, tree: dict[Any, Any]) -> list[Any]:
    """The key of `tree` that stands at a node, as a list; empty where there is none, as for what is merged in.

    A key may be read as something else than its text (`0x10` is 16, `1.50` is 1.5, `true` a switch).
    """
    keys = [key for key in tree if str(key) == node.value]
    if keys or not isinstance(node, ScalarNode) or _kind_of(node) in (None, str):
        return keys
    read = loaded(node.value)
    return [key for key in tree if type(key) is type(read) and key == read]


def _kind_of(node: ScalarNode) -> type | None:
    return _KINDS.get(str(node.tag))


def _weight_at(text: str, path: str, node: ScalarNode, value: WeightValue) -> Weight:
    end = node.end_mark.index
    before = _PROPERTIES.match(text, node.start_mark.index, end)
    start = before.end() if before else node.start_mark.index
    newline = text.find("\n", end)
    line_end = text[end : newline if newline >= 0 else len(text)]
    choices = _choices(line_end, value)
    return Weight(path, value, node.start_mark.line + 1, _declared(line_end), start, end, choices)


def _declared(rest_of_line: str) -> tuple[float, float] | None:
    match = _BOUNDS_IN_COMMENT.search(rest_of_line)
    if not match:
        return None
    try:
        low, high = float(match[1]), float(match[2])
    except ValueError:
        return None
    return (low, high) if low < high and math.isfinite(low) and math.isfinite(high) else None


def _choices(rest_of_line: str, present: WeightValue) -> tuple[WeightValue, ...]:
    """The values declared for a number or a word; braces that do not hold the present one mean something else."""
    match = _CHOICES_IN_COMMENT.search(rest_of_line)
    if not match or isinstance(present, bool):
        return ()
    words = [word.strip().strip("\"'") for word in match[1].split(",")]
    try:
        choices = tuple(dict.fromkeys(type(present)(word) for word in words if _CHOICE.fullmatch(word)))
    except ValueError:
        return ()
    whole = len(choices) == len(words) > 1 and present in choices
    return choices if whole and all(isinstance(each, str) or math.isfinite(each) for each in choices) else ()


def _written(value: WeightValue, before: str) -> tuple[str, WeightValue]:
    """A value as it is written in place of `before`, and as it is read again."""
    if isinstance(value, bool):
        return ("true" if value else "false"), value
    if isinstance(value, str):
        quote = before[0] if before[:1] in ("'", '"') else "" if _stays_a_word(value) else '"'
        return f"{quote}{value}{quote}", value
    if isinstance(value, int):
        return str(value), value
    text = _decimal(value)
    return text, float(text)


def _stays_a_word(value: str) -> bool:
    return isinstance(loaded(value), str)


def _decimal(value: float) -> str:
    text = f"{value:.6g}"
    if "e" in text and float(text) != 0:
        text = f"{value:.12f}".rstrip("0") if abs(value) < 1 else f"{value:.1f}"
    return text if "." in text else f"{text}.0"
