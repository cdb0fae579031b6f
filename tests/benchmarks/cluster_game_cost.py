"""What a game on another machine costs the master: `python tests/benchmarks/cluster_game_cost.py`.

Processor time, without Ray: a game is dealt out, packed, pickled to the bridge and onwards; its answer comes back the
same way, counts, and is written to the ledger.
"""

import pickle
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from backend_contract import play
from tuning_bench import CONFIG, strength

from pipeline.cluster.backend import ClusterBackend
from pipeline.cluster.messages import GamesEnded, Joined
from pipeline.tuner.backends import GameOrder, PlayedGame
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.jobs import GameResult, JobKind, MatchJob, Participant, PlayConditions, SourceKind
from pipeline.tuner.ledger import Ledger
from schemas.tuning_run import TuningState

GAMES, TOGETHER = 4000, 8


class Idle(SimulatedBackend):
    """This machine plays nothing."""

    capacity = 1

    def begin(self, orders: Any) -> None:
        pass

    def finished(self, timeout_s: float) -> list[PlayedGame]:
        return []


class Wire:
    """A link that pickles what a bridge and Ray would, and answers at once."""

    ended = False

    def __init__(self, results: list[GameResult]) -> None:
        self._results = results
        self._inbox: list[Any] = [Joined("n", "n", 16, 64, True, True)]

    def send(self, message: Any) -> None:
        sent = _travelled(message)
        answers = tuple(PlayedGame(game.job_id, game.number, self._results[game.number]) for game in sent.games)
        self._inbox.append(_travelled(GamesEnded("n", answers)))

    def receive(self, timeout_s: float) -> list[Any]:
        found, self._inbox = self._inbox, []
        return found

    def last_words(self) -> str:
        return ""

    def close(self) -> None:
        pass


def _travelled(message: Any) -> Any:
    """To the bridge and from there to the node, or back."""
    return pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(message))))


def cost_us(call: Callable[[], None]) -> float:
    """CPU a game."""
    before_s = time.process_time()
    call()
    return 1e6 * (time.process_time() - before_s) / GAMES


def main() -> None:
    people = tuple(Participant(SourceKind.WEIGHTS, text) for text in (CONFIG, f"{CONFIG}#"))
    job = MatchJob("j", JobKind.PROBE, people, (0, 1), tuple(range(GAMES // 2)), PlayConditions())
    results = play(SimulatedBackend(strength), job)["j"]
    assert isinstance(results, list)
    backend = ClusterBackend(Idle(strength), lambda: Wire(results), lambda _folder: None, lambda _words: None)
    backend.finished(0)
    backend._nodes["n"].trial = None

    def through() -> None:
        backend.begin([GameOrder(job, number) for number in range(GAMES)])
        done = 0
        while done < GAMES:
            done += len(backend.finished(0))

    print(f"dealt out, there and back: {cost_us(through):.0f} us of CPU a game")
    book = Ledger(Path(tempfile.mkdtemp()) / "ledger.db")
    state = TuningState(
        campaign="c", seed=1, snake="s", reference=CONFIG, champion=CONFIG, strategy="spsa", screen_due=False
    )
    book.begin(state, datetime.now(UTC))
    book.add_jobs("c", [job], {who.text: str(number) for number, who in enumerate(people)})
    games = [("j", number, replace(result, move_ms=(1.0, 1.0))) for number, result in enumerate(results)]

    def kept() -> None:
        for first in range(0, GAMES, TOGETHER):
            book.add_games("c", games[first : first + TOGETHER])

    print(f"into the ledger, {TOGETHER} together: {cost_us(kept):.0f} us of CPU a game")
    book.close()


if __name__ == "__main__":
    main()
