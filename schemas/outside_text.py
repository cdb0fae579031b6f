r"""The one door for text from outside: file names, JSON, exceptions, logs, names and shouts of snakes, settings,
e-mail addresses.

What passes it can be stored as UTF-8, printed and mailed: characters that break encoders, steer a terminal or turn the
reading direction (lone surrogates, control and format characters) stand as escapes such as `\x1b` or `\u202e`, so that
nothing is hidden; and it is at most so long, with a word on how much was left out and where the whole is.

Fields of our schemas that hold such text have one of the types below, so whoever builds the model passes the door.
Sources: Unicode TR36 (3.2 text comparison and bidi), CVE-2021-42574 (bidi), PEP 383 (bytes as surrogates).
"""

import json
import re
from email.utils import getaddresses
from math import isinf
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator

NAME_LIMIT = 120
"""Characters of a name that is shown: of a file, a snake, a model."""
LINE_LIMIT = 500
"""Characters of one line in a listing or a fact of a mail."""
REASON_LIMIT = 2_000
"""Characters of a reason or note kept in a row."""
ERROR_LIMIT = 4_000
"""Characters of an error's message kept in a row; the worker's log has the whole."""
TRACE_LIMIT = 20_000
"""Characters of a traceback kept in a result."""

# Control characters but tab and line feed; soft hyphen; format characters that turn the reading direction or are not
# seen (U+200C and U+200D stay: scripts and emoji are joined by them); line separators; surrogates; tags.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_UNSAFE_IN_LINE = re.compile(_UNSAFE.pattern.replace("[\x00-\x08\x0b-\x1f", "[\x00-\x1f"))
_MAX_DEPTH = 100
_Model = TypeVar("_Model", bound=BaseModel)


def passage(text: str | bytes, limit: int, whole_in: str = "") -> str:
    """Text of several lines, safe and at most `limit` characters long (0: of any length).

    Args:
        text: bytes are read as UTF-8; what is none stands as `\\xNN`.
        limit: in characters of what is returned; head and tail stay, with a word between them on what is left out.
        whole_in: where the whole text can be found; named in that word.
    """
    safe = _UNSAFE.sub(_escape, _decoded(text).replace("\r\n", "\n"))
    return _capped(safe, limit, whole_in)


def line(text: str | bytes, limit: int = LINE_LIMIT, whole_in: str = "") -> str:
    """As `passage`, on one line: line feeds and tabs are escaped too."""
    return _capped(_UNSAFE_IN_LINE.sub(_escape, _decoded(text)), limit, whole_in)


def error_line(error: BaseException, limit: int = REASON_LIMIT, whole_in: str = "") -> str:
    """`ValueError: what it says`, on one line; an exception that cannot even be turned into text is named."""
    told = error_text(error, limit, whole_in)
    return line(f"{type(error).__name__}: {told}" if told else type(error).__name__, limit, whole_in)


def error_text(error: BaseException, limit: int = ERROR_LIMIT, whole_in: str = "") -> str:
    """What an exception says, as a `passage`; "" if it says nothing."""
    try:
        return passage(str(error), limit, whole_in)
    except BaseException as broken:  # noqa: BLE001 - anybody's `__str__`, which may even exit; no text is worth an end
        return passage(f"(its text cannot be read: {type(broken).__name__})", limit)


def file_name(name: str | bytes, max_bytes: int) -> str:
    """A name that a file may bear, of at most `max_bytes` in UTF-8: safe, on one line, its ending kept."""
    safe = line(name, 0).replace("/", "_").encode()
    if len(safe) <= max_bytes:
        return safe.decode()
    return safe[-max_bytes:].decode(errors="ignore")


def read_json(text: str | bytes) -> Any:
    """Parse JSON as RFC 8259 has it, its strings and keys made safe.

    Raises:
        ValueError: no JSON; nested over 100 deep; `NaN`, `Infinity` or a number as large; a name twice in one object,
            which readers take differently. The message is for the person who wrote it.
    """
    try:
        tree = json.loads(text, parse_constant=_no_number, parse_float=_finite, object_pairs_hook=_each_name_once)
        return _safe_tree(tree, 0)
    except RecursionError as error:
        raise ValueError(f"no valid JSON: nested over {_MAX_DEPTH} deep") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text: byte {error.start} is {error.object[error.start]:#04x}") from error
    except ValueError as error:
        told = "a number has thousands of digits" if "integer string conversion" in str(error) else error
        raise ValueError(f"no valid JSON: {told}") from error


def to_json(model: BaseModel, indent: int | None = None) -> str:
    """The model as JSON, whatever text somebody put into it past the door."""
    try:
        return model.model_dump_json(indent=indent)
    except ValueError:  # pydantic's encoder refuses lone surrogates
        return made_safe(model).model_dump_json(indent=indent)


def made_safe(model: _Model) -> _Model:
    """The same with every text in it safe, however deep.

    Raises:
        ValueError: it breaks the model's own rules now.
    """
    return type(model).model_validate(_safe_tree(model.model_dump(mode="python"), 0))


def _decoded(text: str | bytes) -> str:
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code == 0x0A:
        return "\\n"
    if code == 0x09:
        return "\\t"
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8, as PEP 383 smuggles it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _capped(text: str, limit: int, whole_in: str) -> str:
    if limit <= 0 or len(text) <= limit:
        return text
    place = f"; the whole is in {line(whole_in, 0)}" if whole_in else ""
    longest = f" [... {len(text):,} characters left out{place} ...] "
    room = limit - len(longest)
    if room <= 0:
        return text[: limit - 1] + "…"
    tail = room // 4
    word = f" [... {len(text) - room:,} characters left out{place} ...] "
    return text[: room - tail] + word + text[len(text) - tail :]


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if isinf(number):
        raise ValueError(f"{line(digits, NAME_LIMIT)} is too large a number")
    return number


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {line(name, NAME_LIMIT)!r} stands twice in one object")
        found[name] = value
    return found


def _safe_tree(tree: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(tree, str):
        return passage(tree, 0) if type(tree) is str else tree  # an enumeration's word is our own
    if isinstance(tree, dict):
        return {_safe_tree(key, depth + 1): _safe_tree(value, depth + 1) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(_safe_tree(item, depth + 1) for item in tree)
    return tree


def _as_line(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda value: line(value, limit) if isinstance(value, str) else value)


def _as_passage(limit: int) -> BeforeValidator:
    return BeforeValidator(lambda value: passage(value, limit) if isinstance(value, str) else value)


NameText = Annotated[str, _as_line(NAME_LIMIT)]
LineText = Annotated[str, _as_line(LINE_LIMIT)]
ReasonText = Annotated[str, _as_line(REASON_LIMIT)]
PassageText = Annotated[str, _as_passage(REASON_LIMIT)]
ErrorText = Annotated[str, _as_passage(ERROR_LIMIT)]
TraceText = Annotated[str, _as_passage(TRACE_LIMIT)]


def checked_address(text: str) -> str:
    """The address, unchanged: `a@b.c`, or `Ann <a@b.c>`.

    Raises:
        ValueError: it is none, is several, or holds characters that end a header.
    """
    found = getaddresses([text])
    address = found[0][1] if len(found) == 1 else ""
    local, _, domain = address.rpartition("@")
    plain = local.startswith('"') or not any(char.isspace() for char in address)
    balanced = text.count("<") == text.count(">") <= 1
    if not (local and domain and plain and balanced) or address not in text or line(text, 0) != text:
        raise ValueError(f"{line(text, NAME_LIMIT)!r} is no e-mail address")
    return text


EmailAddress = Annotated[str, AfterValidator(checked_address)]
