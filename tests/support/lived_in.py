"""A state folder as it is after some days: a tuner's run, a tournament, games of all kinds, networks, a ladder, mails.

Whatever comes from outside or from people (names, shouts, notes, reasons, logs, errors) holds HOSTILE, which does its
harm wherever it is taken for markup. The tuner and the tournament are real ones on a landscape that is drawn; the games
are those of `tests/golden`.
"""

import gzip
import itertools
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from served_site import fill
from tuning_bench import Bench, Climber, strength

from pipeline.data.game_logs import import_games
from pipeline.evolution.tensorboard_log import TensorboardLog
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.tournament_run import TournamentRequest, run_tournament
from schemas.game import GameLog, GameLogThought
from schemas.ladder import GameWhy, MoveThought, TurnThoughts
from schemas.message import Message, MessageKind
from schemas.settings import Settings
from schemas.times import to_text
from schemas.tuning import TunerSettings

HOSTILE = '<img src=x onerror="pwned=1"><script>pwned=1</script>"\'>'
_LOST = Path(__file__).parents[1] / "golden" / "arena" / "duel.details.json.gz"
LOST = json.loads(gzip.decompress(_LOST.read_bytes()))["id"]
"""A ladder game that our snake has thought over."""
THOUGHT = "a-game-with-thoughts"
"""An own game in which our snake told what it thought."""
HOSTILE_ID = 'a/../b?<i id="x">&c=1#"\''
GOLDEN = Path(__file__).parents[1] / "golden"
_Row = dict[str, Any]


def live_in(home: Path, now: datetime) -> None:
    """Fill an empty folder."""
    home.mkdir(parents=True, exist_ok=True)
    fill(home, now)
    tune(home, now)
    play_cup(home)
    bring_games(home, now)
    train(home, now)
    with closing(sqlite3.connect(home / "automation_tracking.db")) as database, database:
        add_history(database, home, now)
        add_networks(database, now)
        add_ladder(database, now)


def bench_in(home: Path, now: datetime) -> Bench:
    """The tuner's bench, with this state folder as its own."""
    ticks = itertools.count()
    bench = Bench(home.parent / "bench", lambda: now - timedelta(days=2) + timedelta(minutes=9 * next(ticks)))
    bench.home, bench.state = home, home / "nn_training_results"
    return bench


def tune(home: Path, now: datetime) -> None:
    """Two promotions, then three candidates that are turned down; the screen finds what does nothing."""
    bench = bench_in(home, now)
    bench.trainer(Climber, max_iterations=2, screen=True, measure_games=100).train()
    bench.trainer(max_iterations=4, screen=True, search="random").train()


def play_cup(home: Path) -> None:
    """Three snakes, everybody everybody."""
    snake = home.parent / "bench" / "snake"
    names = []
    for number in range(3):
        path = snake / f"w{number}.yaml"
        path.write_text((snake / "config.yaml").read_text().replace("idle: 5.0", f"idle: {number}.0"))
        names.append(str(path))
    settings = Settings(home=home, tuner=TunerSettings(snake_dir=snake))
    request = TournamentRequest(tuple(names), games=20)
    run_tournament(settings, request, lambda _line: None, backend=lambda *_: SimulatedBackend(strength))


def bring_games(home: Path, now: datetime) -> None:
    """Own logs, imports of each kind, replays, and one whose names and shouts are hostile."""
    hostile = home.parent / "hostile.json"
    hostile.write_text(json.dumps(hostile_game()))
    games = [GOLDEN / "game_logs" / f"{name}.log.jsonl" for name in ("duel", "royale")]
    arena = [GOLDEN / "arena" / f"{name}.details.json.gz" for name in ("duel", "royale", "constrictor")]
    import_games([*games, *arena, hostile], home / "data" / "games", now)
    (home / "data" / "games" / "thinking.jsonl").write_text(thoughtful_game().to_line())
    (home / "data" / "replays").mkdir(parents=True, exist_ok=True)
    for name in ("wrapped", "royale"):
        shutil.copy(GOLDEN / "referee" / f"official_{name}.jsonl.gz", home / "data" / "replays")


def thoughtful_game() -> GameLog:
    """An own game whose log tells what our snake thought of all boards but the last; once by a network."""
    log = GameLog.model_validate_json((GOLDEN / "game_logs" / "duel.log.jsonl").read_bytes().splitlines()[0])
    moves = [("left", 31.25), ("up", -7.0), (HOSTILE, -900.0)]
    searched = GameLogThought(m="left", v=31.25, d=9, n=4000, ms=3.5, s=moves)
    network = GameLogThought(m="up", v=0.125, d=0, n=1, ms=0.4, s=[("up", 1.5)])
    frames = [
        frame.model_copy(update={"k": network if frame.t == 1 else searched, "w": [(0, HOSTILE)]})
        for frame in log.frames[:-1]
    ]
    return log.model_copy(update={"game_id": THOUGHT, "frames": [*frames, log.frames[-1]]})


def hostile_game() -> _Row:
    """The Arena's royale game under other names."""
    tree: _Row = json.loads(gzip.decompress((GOLDEN / "arena" / "royale.details.json.gz").read_bytes()))
    tree["id"] = HOSTILE_ID
    for number, snake in enumerate(tree["snakes"]):
        snake["name"] = f"{number} {HOSTILE}"
    for frame in tree["frames"]:
        for number, snake in enumerate(frame["Snakes"]):
            snake["Name"], snake["Shout"] = f"{number} {HOSTILE}", HOSTILE
    return tree


def train(home: Path, now: datetime) -> None:
    """A run of the pipeline with curves."""
    folder = home / "self_play" / "run_20261128_010203_1" / "self_play"
    diary = TensorboardLog(folder / "curves")
    for step in range(1, 40):
        numbers = {"loss/policy": 2 / step, "loss/value": 1 / step, "learning_rate": 1e-3 / step,
                   "positions_per_s": 900.0 + step, "games": 10.0 * step}  # fmt: skip
        diary.write(step, numbers)
    diary.close()
    phase = {"name": "self_play", "spent_s": 900.0, "games": 390, "model_id": "net-2"}
    record = {"run_id": "run_20261128_010203_1", "seed": 7, "started_at": to_text(now - timedelta(days=1)),
              "phases": [phase, {"name": "continuous"}], "spent_s": 900.0, "games": 390, "progress": 0.6,
              "last_error": HOSTILE}  # fmt: skip
    (home / "self_play" / "run.json").write_text(json.dumps(record))


def add_history(database: sqlite3.Connection, home: Path, now: datetime) -> None:
    """Hostile words in every row that people and programs write, and a log for each run."""
    database.execute("UPDATE execution_rows SET error_message = ? WHERE status = 'failed'", (HOSTILE,))
    database.execute("UPDATE execution_rows SET worker_reason = ?", (HOSTILE,))
    database.execute("UPDATE triggers SET last_verdict = ?, last_checked = ?", (HOSTILE, to_text(now)))
    database.execute("UPDATE occurrence_rows SET reason = ?, note = ?", (HOSTILE, HOSTILE))
    _insert(database, "decisions", occurrence_id=1, schedule_name="nightly", kind="wait", code="cpu", reason=HOSTILE,
            first_at=to_text(now), last_at=to_text(now), count=3)  # fmt: skip
    _insert(database, "commands", verb="pause", arguments_json="{}", requested_by=HOSTILE, requested_at=to_text(now),
            handled_at=to_text(now), answer=HOSTILE, ok=1)  # fmt: skip
    message = Message(kind=MessageKind.FAILURE, dedup_key="k", subject=HOSTILE, headline=HOSTILE, advice=HOSTILE,
                      created_at=now)  # fmt: skip
    (failed,) = database.execute("SELECT id FROM execution_rows WHERE status = 'failed'").fetchone()
    _insert(database, "outbox", kind="failure", dedup_key="k", execution_id=failed, recipients_json="[]", attempts=1,
            payload_json=message.model_dump_json(), state="failed", not_before=to_text(now), created_at=to_text(now),
            last_error=HOSTILE)  # fmt: skip
    for (run,) in database.execute("SELECT id FROM execution_rows").fetchall():
        folder = home / "runs" / f"{run:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "worker.log").write_text(f"line one\n{HOSTILE}\n")
        database.execute("UPDATE execution_rows SET run_dir = ? WHERE id = ?", (str(folder), run))


def add_networks(database: sqlite3.Connection, now: datetime) -> None:
    """A champion and the one before it, measured and promoted."""
    for number in (1, 2):
        at = to_text(now - timedelta(days=3 - number))
        parent = "net-1" if number == 2 else None
        _insert(database, "models", id=f"net-{number}", name="net", version=number, architecture="light",
                status="champion" if number == 2 else "retired", training_phase="self_play", parent_id=parent,
                encoder_id="e", weights_file="w", sha256="0" * 64, size_bytes=10, parameters=1_000, created_at=at,
                code_revision="", card_json="{}")  # fmt: skip
        _insert(database, "model_events", kind="promoted", model_id=f"net-{number}", previous_id=parent, at=at,
                evidence_json=json.dumps({"reason": HOSTILE}))  # fmt: skip
        for opponent in ("heuristic:strong", "model:net-1", HOSTILE):
            _insert(database, "evaluations", model_id=f"net-{number}", opponent=opponent, snakes=2, games=400, wins=220,
                    draws=20, losses=160, win_rate=0.4 + number / 10, low=0.35 + number / 10, high=0.45 + number / 10,
                    seed=number, conditions="11x11", evaluated_at=at,
                    evaluation_json=json.dumps({"how": HOSTILE}))  # fmt: skip


def add_ladder(database: sqlite3.Connection, now: datetime) -> None:
    """A rating each hour of a day, of a snake with a hostile name; and why a game was lost."""
    for hour in range(24):
        _insert(database, "arena_ratings", at=to_text(now - timedelta(hours=24 - hour)), leaderboard_id="l",
                leaderboard_name="Standard", snake_id="s", snake_name=HOSTILE, rating=20 + hour / 4, rank=30 - hour,
                of_ranked=80, games_played=hour, first_places=hour // 3)  # fmt: skip
    _insert(database, "arena_games", game_id=LOST, state="kept", challenged=0, snake_id="s", snake_name="Ouroboros",
            own_seats=1, board="11x11", game_type="Standard", snakes_json="[]", created_at=to_text(now), attempts=0,
            outcome="loss", reason="", why_json=why(now).model_dump_json())  # fmt: skip


def why(now: datetime) -> GameWhy:
    """What our snake thinks of two turns of a game."""
    moves = [MoveThought(move="left", value=12.5, holds=True, depth=6, positions=1234),
             MoveThought(move="up", value=-900.0, holds=False, depth=4, positions=56)]  # fmt: skip
    turns = [
        TurnThoughts(turn=turn, played="up", chosen="left", depth=6, positions=1290, moves=moves) for turn in (40, 41)
    ]
    return GameWhy(game_id=LOST, snake="Ouroboros", died_on=42, cause="wall-collision", killed_by="", budget=4000,
                   weights_sha256="0" * 64, made_at=now, turns=turns, last_chance=40,
                   verdict=f"It could have gone left on turn 40. {HOSTILE}")  # fmt: skip


def _insert(database: sqlite3.Connection, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(values.values()))
