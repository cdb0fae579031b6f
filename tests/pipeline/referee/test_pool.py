"""Several referee processes give the same match as one, stop as quickly, and end with their maker."""

import os
import signal
import subprocess
import sys
import threading
from time import monotonic, sleep

import psutil
import pytest
from living_processes import lives
from scripted_snake import Hang, move, safe_move

from pipeline.referee import Contestant, MatchConditions, RefereePool, paired_schedule, play_match
from schemas.errors import EvaluationError, GameStateError, MachineError, SnakeError

CONDITIONS = MatchConditions(7, 7, timeout_ms=60_000, max_turns=30)


@pytest.fixture(scope="module")
def pool():
    """Two workers for all tests of this file, which so also show that a pool serves many matches."""
    with RefereePool(2) as workers:
        yield workers


@pytest.fixture
def duel(scripted):
    snakes = [scripted(lambda request: [move(safe_move(request.body))]) for _ in range(2)]
    return [Contestant(f"snake {index}", snake.url) for index, snake in enumerate(snakes)]


def facts(result):
    return [
        (game.spec, game.turns, game.ending, game.winner, [(s.cause, s.killer, s.died_on_turn) for s in game.snakes])
        for game in result.games
    ]


@pytest.mark.parametrize(("pairs", "at_once"), [(6, 4), (1, 8), (5, 1)])
def test_a_pool_plays_the_same_games(pool, duel, pairs, at_once):
    schedule = paired_schedule(pairs, 21)
    seen = []
    shared = play_match(
        duel, schedule, CONDITIONS, pool=pool, games_at_once=at_once, on_pair=lambda p: seen.append(p.pair)
    )
    assert facts(shared) == facts(play_match(duel, schedule, CONDITIONS))
    assert seen == list(range(pairs))
    assert not shared.stopped


def test_replays_of_a_pool(pool, duel, tmp_path):
    result = play_match(duel, paired_schedule(2, 3), CONDITIONS, pool=pool, replay_dir=tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(game.replay for game in result.games)


def test_a_stop_ends_every_worker(pool, scripted):
    asked = threading.Event()

    def hang(_):
        asked.set()
        return [Hang]

    snake = scripted(hang)
    hour = MatchConditions(timeout_ms=3_600_000)
    contestants = [Contestant("hangs", snake.url)]
    result = play_match(contestants, paired_schedule(9, 1, (0, 0)), hour, games_at_once=4, pool=pool, stop=asked.is_set)
    assert result.stopped
    assert result.games == ()


def test_nothing_is_reported_after_a_stop(pool, duel):
    games = []
    result = play_match(
        duel, paired_schedule(100, 1), CONDITIONS, pool=pool, on_game=games.append, stop=lambda: len(games) >= 3
    )
    assert len(games) == len(result.games) == 3


def test_errors_of_a_worker_keep_their_kind_and_words(pool, scripted, duel, tmp_path):
    with pytest.raises(
        SnakeError, match=r"does not answer GET / \(connection: .*refused\) \(http://127.0.0.1:9\). Start it"
    ):
        play_match([Contestant("gone", "http://127.0.0.1:9")] * 2, paired_schedule(2, 1), CONDITIONS, pool=pool)
    with pytest.raises(GameStateError):
        play_match(duel, paired_schedule(2, 1), MatchConditions(ruleset="chess"), pool=pool)
    folder = tmp_path / "replays"
    folder.mkdir()
    with pytest.raises(MachineError, match="replay cannot be written"):
        play_match(
            duel,
            paired_schedule(50, 1),
            CONDITIONS,
            pool=pool,
            replay_dir=folder,
            on_game=lambda _: folder.exists() and folder.rename(tmp_path / "elsewhere"),
        )
    assert len(play_match(duel, paired_schedule(1, 1), CONDITIONS, pool=pool).games) == 2


def test_a_worker_that_is_killed_fails_the_match(scripted):
    asked = threading.Event()

    def hang(_):
        asked.set()
        return [Hang]

    snake = scripted(hang)
    before = {child.pid for child in psutil.Process().children()}
    with RefereePool(1) as workers:
        (pid,) = {process.pid for process in workers._processes} - before

        def kill_once():
            if asked.is_set():
                os.kill(pid, signal.SIGKILL)
            return False

        with pytest.raises(EvaluationError, match="it ended by itself with exit code -9"):
            play_match(
                [Contestant("hangs", snake.url)],
                paired_schedule(1, 1, (0, 0)),
                CONDITIONS,
                pool=workers,
                stop=kill_once,
            )
    assert not psutil.pid_exists(pid)


def test_an_error_of_the_caller_leaves_no_worker_behind(duel):
    with pytest.raises(ZeroDivisionError), RefereePool(1) as workers:
        pids = [process.pid for process in workers._processes]
        play_match(duel, paired_schedule(20, 1), CONDITIONS, pool=workers, on_game=lambda _: 1 / 0)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_workers_end_with_a_killed_parent():
    code = """
import os, signal
from pipeline.referee import RefereePool
if __name__ == "__main__":
    pool = RefereePool(1).__enter__()
    print(*(process.pid for process in pool._processes), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    (pid,) = map(int, run.stdout.split())
    deadline = monotonic() + 60
    while lives(pid):
        assert monotonic() < deadline
        sleep(0.01)
