"""The compiled players against the bundled Go snake with its default weights, over HTTP through the referee.

Usage: python tests/benchmarks/players_against_go.py [pairs, default 100] [seed] [kinds, default strong deep]
"""

import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

from pipeline.evaluation.intervals import measure_pairs
from pipeline.referee.game_pool import Contestant
from pipeline.referee.match import play_match
from pipeline.referee.result import MatchResult
from pipeline.referee.schedule import MatchConditions, paired_schedule
from pipeline.referee.snake_process import SnakeCommand, SnakeProcess, running_snakes
from pipeline.snake_builder import build_environment

GO_SNAKE = Path(__file__).parents[2] / "deploy" / "go-snake"


def play(kind: str, binary: Path, pairs: int, seed: int, logs: Path) -> MatchResult:
    """Return the match of one player kind against the Go snake: both seatings of every seed."""
    server = (sys.executable, "-m", "pipeline.environment.serve_player", "--kind", kind, "--port", "{port}")
    snakes = [
        SnakeProcess(kind, SnakeCommand(server), logs / f"{kind}.log", start_deadline_s=300),
        SnakeProcess("go-snake", SnakeCommand((str(binary),)), logs / "go.log"),
    ]
    with running_snakes(snakes):
        contestants = [Contestant(snake.name, snake.url) for snake in snakes]
        return play_match(contestants, paired_schedule(pairs, seed), MatchConditions(timeout_ms=5000))


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else secrets.randbits(32)
    with tempfile.TemporaryDirectory(prefix="ouroboros-bench-") as scratch:
        binary = Path(scratch) / "go-snake"
        subprocess.run(["go", "build", "-o", binary, "."], cwd=GO_SNAKE, env=build_environment("go"), check=True)
        for kind in sys.argv[3:] or ["strong", "deep"]:
            result = play(kind, binary, pairs, seed, Path(scratch))
            ours = result.tally(0)
            measured = measure_pairs([pair.score(0) for pair in result.pairs()])
            print(f"{kind} against go-snake, seed {seed}: {ours.wins} won, {ours.draws} drawn, {ours.losses} lost, "
                  f"{result.failed_games} games with failures; {measured}")  # fmt: skip


if __name__ == "__main__":
    main()
