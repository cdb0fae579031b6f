"""The screen names the weights that change nothing, and takes no noise for an effect."""

from collections.abc import Callable

import numpy as np
import pytest
from simulated_hill import pair_scores

from pipeline.tuner.interactions import design, interactions
from pipeline.tuner.jobs import GameResult, JobResult, MatchJob, Participant, PlayConditions, SourceKind
from pipeline.tuner.screen import EffectKind, ScreenPlan, Variant, dead_weights, plan_screen, read_screen, summary

CHAMPION = Participant(SourceKind.WEIGHTS, "a: 1\n")
NAMES = [f"weights.w{number}" for number in range(77)]
DEAD = set(NAMES[40:])
"""As in the public snake: 37 of 77 keys have no reader."""


def plan(names: list[str] = NAMES, seeds: tuple[int, ...] = (5, 6)) -> ScreenPlan:
    variants = [
        Variant(name, direction, Participant(SourceKind.WEIGHTS, f"{name} moved {direction}\n"))
        for name in names
        for direction in (-1, 1)
    ]
    return plan_screen(variants, CHAMPION, seeds, PlayConditions(), "screen-1")


def play(job: MatchJob, salt: Callable[[MatchJob, int], str], first_wins: float = 0.5) -> JobResult:
    games = []
    for seed in job.seeds:
        for rotation in job.rotations:
            seats = len(rotation)
            random = np.random.default_rng((seed, *rotation))
            place = rotation.index(0) if random.random() < first_wins else rotation.index(1)
            scores = tuple(float(seat == place) for seat in range(seats))
            blank = ("",) * seats
            fields = {"seed": seed, "rotation": rotation, "scores": scores, "turns": 9, "lengths": (3,) * seats}
            fields |= {"causes": blank, "failures": blank, "move_ms": (1.0,) * seats, "transcript": salt(job, seed)}
            fields |= {"died_on": (0,) * seats}
            games.append(GameResult(**fields))  # type: ignore[arg-type]
    return JobResult(job.id, tuple(games))


def readers_only(job: MatchJob, seed: int) -> str:
    """The transcript follows the seed and the seats, and the variant where somebody reads its weight."""
    text = job.participants[0].text
    dead = text == CHAMPION.text or text.split()[0] in DEAD
    return f"{seed} {len(job.line)} {'' if dead else text}"


def test_the_37_keys_that_nobody_reads_are_named() -> None:
    made = plan()
    effects = read_screen(made, {job.id: play(job, readers_only) for job in made.jobs})
    assert set(dead_weights(effects)) == DEAD
    assert len(effects) == 77
    words = summary(effects)
    assert words.startswith("37 of 77 weights have no effect")
    assert "weights.w40" in words
    assert "and 25 more" in words


def test_a_weight_read_among_four_snakes_only_is_alive() -> None:
    made = plan(["a.b"])

    def crowd_only(job: MatchJob, seed: int) -> str:
        return f"{seed} {job.participants[0].text if len(job.line) == 4 else ''}"

    (effect,) = read_screen(made, {job.id: play(job, crowd_only) for job in made.jobs})
    assert effect.kind is EffectKind.MOVES


def test_a_snake_that_does_not_repeat_itself_has_no_dead_weights() -> None:
    made = plan(NAMES[-3:])
    effects = read_screen(made, {job.id: play(job, lambda job, seed: f"{job.id} {seed}") for job in made.jobs})
    assert [effect.kind for effect in effects] == [EffectKind.UNKNOWN] * 3
    assert "does not play the same game twice" in summary(effects)


def test_lost_games_make_no_weight_dead() -> None:
    made = plan(NAMES[-2:])
    results = {job.id: play(job, readers_only) for job in made.jobs}
    del results[f"screen-1:{NAMES[-1]}:+1:4"]
    kinds = [effect.kind for effect in read_screen(made, results)]
    assert kinds == [EffectKind.NO_EFFECT, EffectKind.UNKNOWN]


def test_a_score_that_falls_clearly_is_an_effect_on_the_result() -> None:
    made = plan(["w"], seeds=tuple(range(40)))
    results = {
        job.id: play(job, readers_only, 0.02 if job.participants[0].text.endswith("1\n") else 0.5) for job in made.jobs
    }
    (effect,) = read_screen(made, results)
    assert effect.kind is EffectKind.RESULT
    assert effect.low_gain is not None
    assert effect.low_gain < -0.4


def test_a_weight_called_reference_is_no_reference() -> None:
    made = plan(["reference"])
    (effect,) = read_screen(made, {job.id: play(job, readers_only) for job in made.jobs})
    assert effect.kind is EffectKind.MOVES


@pytest.mark.parametrize("weights", range(2, 9))
def test_no_main_effect_and_no_interaction_of_two_hides_behind_another(weights: int) -> None:
    rows = design(weights).astype(int)
    columns = [rows[:, one] for one in range(weights)]
    columns += [rows[:, a] * rows[:, b] for a in range(weights) for b in range(a)]
    products = np.array(columns) @ np.array(columns).T
    assert np.array_equal(products, len(rows) * np.eye(len(columns), dtype=int))


def test_the_one_interaction_that_is_there_is_found_and_no_other() -> None:
    names, random = [f"w{number}" for number in range(8)], np.random.default_rng(9)
    rows = design(8)
    strength = 40.0 * rows[:, 0] - 25.0 * rows[:, 3] + 70.0 * rows[:, 2] * rows[:, 5]
    found = interactions(names, [pair_scores(float(elo), 40, random).tolist() for elo in strength])
    assert [(entry.first, entry.second) for entry in found] == [("w2", "w5")]
    assert found[0].effect > 0


def test_among_eight_weights_without_effect_an_interaction_is_named_once_in_twenty() -> None:
    random, named = np.random.default_rng(10), 0
    for _ in range(200):
        scores = [pair_scores(0.0, 12, random).tolist() for _ in range(64)]
        named += bool(interactions([str(number) for number in range(8)], scores))
    assert named / 200 <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
