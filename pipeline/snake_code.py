"""A snake's code in one word: games of one code are no games of another, and what was learned of it may not hold."""

import os
from hashlib import blake2b
from pathlib import Path

_SOURCE = frozenset(
    {
        ".c", ".cc", ".cpp", ".cs", ".go", ".h", ".hpp", ".java", ".js", ".kt", ".lua", ".mjs", ".mod", ".php", ".py",
        ".rb", ".rs", ".s", ".scala", ".sh", ".sum", ".swift", ".toml", ".ts", ".zig",
    }
)  # fmt: skip
_NO_SOURCE = frozenset({".git", ".venv", "node_modules", "__pycache__", "nn_training_results", "target"})
_MOST_BYTES = 4 << 20
"""Of a file that is read; of a larger one its size counts."""


def code_of(folder: Path) -> str:
    """Return a digest of the source files below a folder, by their names' endings; "" where there is none.

    What a snake writes while it runs (logs, games, statistics) is not among them, nor are its weights.
    """
    digest, found = blake2b(digest_size=16), False
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCE)
        for path in sorted(Path(parent, name) for name in names if Path(name).suffix.lower() in _SOURCE):
            found = True
            content = _content(path)
            digest.update(os.fsencode(path.relative_to(folder)) + b"\0%d\0" % len(content) + content)
    return digest.hexdigest() if found else ""


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if not path.is_file() or size > _MOST_BYTES:
            return b"%d" % size
        return path.read_bytes()
    except OSError:  # the build will say so
        return b""
