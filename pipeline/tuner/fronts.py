"""The front of a run with several objectives: its contenders are measured on fresh seeds, all on the same.

The search plays cheaply and chooses what looked good, so its own values are too hopeful. What is shown, and what stays
on the front, are values of games at the deployed conditions that nobody chose by.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.tuner.contest import Contest
from pipeline.tuner.jobs import JobKind, JobResult, Participant, SourceKind, Stage, pair_seeds
from pipeline.tuner.objectives import Aim, estimates, not_dominated, spread
from pipeline.tuner.setup import Setup
from schemas.tuning_run import FrontMember, TuningPhase, TuningState

SEEDS = 50
"""Of each contender's games, from all seats."""
MOST_MEMBERS = 8
PRESENT = "present weights"


def opened(state: TuningState, points: Sequence[str]) -> TuningState:
    """The state in which these weights' texts, the front so far and the present weights are measured."""
    texts = dict.fromkeys([state.champion, *points, *(member.text for member in state.front)])
    return state.model_copy(update={"contenders": tuple(texts)[: 2 * MOST_MEMBERS], "phase": TuningPhase.FRONT})


def contests(setup: Setup, state: TuningState) -> list[Contest]:
    """Every contender against the present weights, or against the opponents."""
    seeds = pair_seeds(state.seed, Stage.MEASUREMENT, state.chapter, state.measurements, SEEDS)
    return [
        Contest(
            name=f"{state.chapter}/front/{state.measurements}/{number}",
            kind=JobKind.MEASUREMENT,
            first=Participant(SourceKind.WEIGHTS, text),
            second=Participant(SourceKind.WEIGHTS, state.champion),
            seeds=seeds,
            conditions=setup.gate,
            objective=setup.settings.objective,
            opponents=setup.opponents,
        )
        for number, text in enumerate(state.contenders)
    ]


def measured(
    setup: Setup, state: TuningState, played: Sequence[Contest], results: Mapping[str, JobResult]
) -> tuple[TuningState, dict[str, Any]]:
    """The state with the front that the games show, and what the ledger notes."""
    members = [
        _member(number, contest.first.text, setup.aims, contest, results) for number, contest in enumerate(played)
    ]
    known = [member for member in members if len(member.values) == len(setup.aims)]
    first = setup.aims[0]
    kept = [known[place] for place in not_dominated([_signed(member, setup.aims) for member in known])]
    ordered = sorted(kept, key=lambda member: -first.sign * member.values[first.name])
    chosen = [ordered[place] for place in spread(len(ordered), MOST_MEMBERS)]
    front = tuple(
        member.model_copy(update={"name": PRESENT if member.text == state.champion else str(number)})
        for number, member in enumerate(chosen, 1)
    )
    changes = {
        "front": front,
        "contenders": (),
        "iteration": state.iteration + 1,
        "measurements": state.measurements + 1,
        "games_at_iteration": state.total_games,
    }
    body = {"front": [member.model_dump(exclude={"text"}) for member in front], "contenders": len(played)}
    return state.model_copy(update=changes), body


def _signed(member: FrontMember, aims: Sequence[Aim]) -> list[float]:
    return [aim.sign * member.values[aim.name] for aim in aims]


def _member(
    number: int, text: str, aims: Sequence[Aim], contest: Contest, results: Mapping[str, JobResult]
) -> FrontMember:
    found = estimates(aims, contest, results)
    known = [(aim.name, each) for aim, each in zip(aims, found, strict=True) if each.value == each.value]
    return FrontMember(
        name=str(number),
        text=text,
        values={name: each.value for name, each in known},
        errors={name: each.error for name, each in known if each.error == each.error},
    )


def words(body: Mapping[str, Any]) -> str:
    """What a round came to, for people."""
    members = [FrontMember(text="", **entry) for entry in body["front"]]
    rows = [
        f"  {member.name}: "
        + ", ".join(f"{name} {value:.3g}{_within(member, name)}" for name, value in member.values.items())
        for member in members
    ]
    head = f"Front: {len(members)} of {body['contenders']} configurations, none better than another in everything."
    return "\n".join([head, *rows])


def _within(member: FrontMember, name: str) -> str:
    return f" ± {1.96 * member.errors[name]:.2g}" if name in member.errors else ""
