"""The Go programs that tests and benchmarks need, built on the spot; Go's own cache makes the second time quick."""

import re
import subprocess
from pathlib import Path

from pipeline.snake_builder import build_environment

REPOSITORY = Path(__file__).parents[2]


def build_official_cli(folder: Path) -> Path:
    """Build the official command at the version that tests/official-cli pins."""
    return _build(
        REPOSITORY / "tests" / "official-cli",
        "github.com/BattlesnakeOfficial/rules/cli/battlesnake",
        folder / "battlesnake",
    )


def build_go_snake(folder: Path) -> Path:
    """Build the bundled snake."""
    return _build(REPOSITORY / "deploy" / "go-snake", ".", folder / "go-snake")


def think_briefly(config: Path) -> None:
    """Make a copy of the bundled weights decide within 0.1 ms, by no clock: what is shipped thinks far longer."""
    text, changed = re.subn(r"(?m)^(  (?:duel|crowd)_budget:) \d+", r"\1 110", config.read_text(encoding="utf-8"))
    text, unclocked = re.subn(r"(?m)^(  time_share:) [\d.]+", r"\1 0.0", text)
    assert (changed, unclocked) == (2, 1), "the search's keys have other names now"
    config.write_text(text, encoding="utf-8")


def build_mindless_snake(folder: Path) -> Path:
    """Build the cheapest snake there can be."""
    return _build(REPOSITORY / "tests" / "benchmarks" / "mindless-snake", ".", folder / "mindless-snake")


def _build(module: Path, package: str, output: Path) -> Path:
    run = subprocess.run(
        ["go", "build", "-o", str(output), package],
        cwd=module,
        env=build_environment("go"),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"go build {package} in {module} failed:\n{run.stderr}")
    return output
