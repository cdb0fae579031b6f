"""Several objectives: a Pareto front on a known landscape, measured on fresh seeds, kept and chosen from."""

from contextlib import closing
from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tuning_bench import Bench

from pipeline.tuner import weights_on_disk
from pipeline.tuner.backends.simulated import SimulatedBackend
from pipeline.tuner.contest import Contest
from pipeline.tuner.continuous import with_changes
from pipeline.tuner.jobs import GameResult, JobKind, JobResult, Participant, PlayConditions, SourceKind
from pipeline.tuner.ledger import Ledger
from pipeline.tuner.objectives import aims_of, dominates, estimates, not_dominated
from pipeline.tuner.report.from_ledger import report_of
from pipeline.tuner.report.page import html_report
from pipeline.tuner.report.terminal import text_report
from pipeline.tuner.verify import verify
from schemas.errors import SettingsError, StateError
from schemas.tuning import Objective, TunerSettings, Wanted

CONFIG = "thought: 400  # [50, 3200] positions\nboldness: 1.0  # [0, 2]\nname: viper\n"


def weighed(bench: Bench, **tuner: object) -> Bench:
    """Each doubling of thought is worth 100 Elo and costs twice the time; boldness has its best at 1.2, for nothing."""
    bench.config.write_text(CONFIG)
    bench.backend = SimulatedBackend(
        lambda values: 100 * log10(float(values["thought"])) / log10(2) - 900 * (float(values["boldness"]) - 1.2) ** 2,
        move_ms=lambda values: float(values["thought"]) / 100,
    )
    (bench.snake / "weight_spec.yaml").write_text("thought: {scale: log}\n")
    fields = {"objectives": ["score", "move_time"], "max_iterations": 3} | tuner
    bench.trainer(**fields).train()
    return bench


def test_strength_is_weighed_against_time(bench: Bench) -> None:
    weighed(bench)
    with closing(Ledger(bench.state / "ledger.db", read_only=True)) as book:
        run = book.runs()[0]
        report, state = report_of(book, run, bench.clock()), book.state(run)
        assert verify(book, run).disagreement == ""
    assert bench.config.read_text() == CONFIG  # nothing is promoted by itself
    points = sorted((member.values["move time"], member.values["score"]) for member in state.front)
    assert len(points) >= 4
    assert points == sorted(points, key=lambda point: point[1])  # more time, more strength
    assert points[0][0] < 0.6 < 1.4 < points[-1][0]
    assert points[0][1] < 0.45 < 0.55 < points[-1][1]
    page, text = html_report(report), text_report(report)
    assert "Objectives against each other" in page
    assert "time thought a move, in those that the present weights take in the same games; less is better" in page
    assert f"[{state.front[0].name}] score {state.front[0].values['score']:.3g} ±" in text
    assert "Front: " in bench.words

    chosen = next(member for member in state.front if member.values["move time"] == points[-1][0])
    said = weights_on_disk.put_back(bench.state, None, weights_on_disk.Which.BEST, chosen.name)
    assert f"holds member {chosen.name} of the front" in said
    assert bench.config.read_text() == chosen.text
    with pytest.raises(StateError, match=r"no member '99'.*Members: "):
        weights_on_disk.put_back(bench.state, None, weights_on_disk.Which.BEST, "99")


def test_a_front_that_was_stopped_goes_on_as_one_that_was_not(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = weighed(Bench(tmp_path_factory.mktemp("whole"), bench.clock), max_iterations=2)
    for most in (1, 2):
        weighed(bench, max_iterations=most)
    fronts = []
    for each in (whole, bench):
        with closing(Ledger(each.state / "ledger.db", read_only=True)) as book:
            fronts.append(book.state(book.runs()[0]).front)
    assert fronts[0] == fronts[1]


def game(seed: int, rotation: tuple[int, ...], winner: int, turns: int, ms: tuple[float, ...]) -> GameResult:
    won = tuple(float(who == winner) for who in rotation)
    died = tuple(0 if who == winner else turns for who in rotation)
    blank = ("",) * len(rotation)
    return GameResult(seed, rotation, won, turns, (5, 5), died, blank, blank, ms, f"{seed} {rotation} {turns}")


def test_each_objective_is_read_off_the_games_that_tell_of_it() -> None:
    """Against the first opponent ours wins long games, against the second it loses short ones; it thinks half as long
    as the present weights do against the same two."""
    one, two = (Participant(SourceKind.URL, f"http://a.example/{name}") for name in ("one", "two"))
    ours, present = (Participant(SourceKind.WEIGHTS, text) for text in ("a: 1", "a: 2"))
    contest = Contest(
        "c", JobKind.MEASUREMENT, ours, present, (1, 2, 3, 4), PlayConditions(), Objective.DUEL, (one, two)
    )
    results = {}
    for job in contest.jobs:
        first, against_one = job.participants[0] == ours, job.participants[1] == one
        winner, turns = (0, 300) if against_one else (1, 100)
        games = []
        for seed, rotation in job.games:
            ms = tuple((1.0 if first else 2.0) if who == 0 else 9.0 for who in rotation)
            games.append(game(seed, rotation, winner, turns, ms))
        results[job.id] = JobResult(job.id, tuple(games))
    opponents = [one.text, two.text]
    settings = TunerSettings(
        objectives=(Wanted.WIN_RATE, Wanted.SCORE, Wanted.LENGTH, Wanted.MOVE_TIME), opponents=opponents
    )
    aims = aims_of(settings)
    assert [aim.name for aim in aims] == [
        "win rate against one",
        "win rate against two",
        "score",
        "length",
        "move time",
    ]
    assert [aim.sign for aim in aims] == [1, 1, 1, 1, -1]
    assert [each.value for each in estimates(aims, contest, results)] == pytest.approx([1.0, 0.0, 0.5, 200.0, 0.5])
    assert [each.error for each in estimates(aims, contest, results)][:2] == [0.0, 0.0]


def test_equals_on_a_noisy_machine_think_equally_long() -> None:
    """Twice as long on one board and half as long on the other is as long."""
    ours, present = (Participant(SourceKind.WEIGHTS, text) for text in ("a: 1", "a: 2"))
    contest = Contest("c", JobKind.MEASUREMENT, ours, present, (1, 2), PlayConditions(), Objective.DUEL)
    (job,) = contest.jobs
    times = {1: (2.0, 1.0), 2: (1.0, 2.0)}
    games = [game(seed, rotation, 0, 50, tuple(times[seed][who] for who in rotation)) for seed, rotation in job.games]
    aims = aims_of(TunerSettings(objectives=(Wanted.SCORE, Wanted.MOVE_TIME)))
    _, time = estimates(aims, contest, {job.id: JobResult(job.id, tuple(games))})
    assert time.value == pytest.approx(1.0)
    assert time.error > 0.5


def test_several_opponents_make_a_front_of_win_rates(bench: Bench) -> None:
    opponents = ["http://a.example/one", "http://a.example/two"]
    bench.trainer(objectives=["win_rate"], opponents=opponents, max_iterations=1).train()
    with closing(Ledger(bench.state / "ledger.db", read_only=True)) as book:
        front = book.state(book.runs()[0]).front
    assert front
    assert all(set(member.values) == {"win rate against one", "win rate against two"} for member in front)


@pytest.mark.parametrize(
    ("tuner", "words"),
    [
        ({"objectives": ["move_time"]}, "cares for nothing else"),
        ({"objectives": ["score", "score"]}, "each once"),
        ({"objectives": ["length", "-length", "score"]}, "opposites"),
        ({"objectives": ["score", "win_rate"]}, "needs opponents"),
        ({"objectives": ["score", "length"], "search": "tpe"}, "searched by nsga2"),
    ],
)
def test_objectives_without_sense_are_refused(bench: Bench, tuner: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        with_changes(TunerSettings(), tuner)


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=12))
def test_what_is_not_dominated_covers_everything_else(values: list[tuple[int, int, int]]) -> None:
    kept = [values[place] for place in not_dominated(values)]
    assert kept
    assert len(set(kept)) == len(kept)
    assert not any(dominates(one, other) for one in kept for other in kept)
    assert all(any(one == value or dominates(one, value) for one in kept) for value in values)
