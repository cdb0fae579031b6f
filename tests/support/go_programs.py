"""The Go programs that tests and benchmarks need, built on the spot; Go's own cache makes the second time quick."""

import subprocess
from pathlib import Path

from pipeline.snakes.toolchain import build_environment

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
