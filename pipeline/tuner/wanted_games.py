"""Which games a run wants at some moment: what its next step needs, and what spare cores may play meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.tuner import fronts, gating, interactions, measuring, screen, searching
from pipeline.tuner.contest import Contest
from pipeline.tuner.jobs import MatchJob
from pipeline.tuner.screen import ScreenPlan
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import Space
from pipeline.tuner.weights import WeightFile
from schemas.tuning_run import OpenQuestion, TuningPhase, TuningState


@dataclass
class WantedGames:
    """They follow from the state alone. What is dear to make of it, a question's games and the screen's plan, is made
    once, as long as it is open.

    Args:
        setup: what this start was told.
        reference: the weights that the run started from.
    """

    setup: Setup
    space: Space
    reference: WeightFile
    champion: WeightFile
    _contests: dict[int, Contest] = field(default_factory=dict, init=False)
    _plan: ScreenPlan | None = field(default=None, init=False)

    def jobs(self, state: TuningState) -> list[MatchJob]:
        """All jobs, those that the next step needs first."""
        spare = [job for contest in self._spare_contests(state) for job in contest.jobs]
        return list({job.id: job for job in [*self.due_jobs(state), *spare]}.values())

    def due_jobs(self, state: TuningState) -> list[MatchJob]:
        """The jobs whose results the next step needs."""
        if state.phase is TuningPhase.SCREEN:
            return list(self.screen_plan(state).jobs)
        return [job for contest in self.due_contests(state) for job in contest.jobs]

    def due_contests(self, state: TuningState) -> list[Contest]:
        """The comparisons that the next step counts; none where it is the screen's."""
        setup = self.setup
        phases: dict[TuningPhase, Callable[[], list[Contest]]] = {
            TuningPhase.BASELINE: lambda: [measuring.baseline(setup, state)],
            TuningPhase.SCREEN: list,
            TuningPhase.SEARCH: lambda: [self._contest_of(question, state) for question in state.questions[:1]],
            TuningPhase.GATE: lambda: gating.due(setup, state),
            TuningPhase.MEASURE: lambda: measuring.contests(setup, state),
            TuningPhase.CROSSING: lambda: interactions.contests(
                setup, state, self.space, self.reference, self.champion
            ),
            TuningPhase.FRONT: lambda: fronts.contests(setup, state),
        }
        return phases[state.phase]()

    def screen_plan(self, state: TuningState) -> ScreenPlan:
        """Which weights are moved how far, and the games that show what comes of it."""
        if self._plan is None:
            self._plan = screen.plan(self.setup, state, self.champion)
        return self._plan

    def screened(self) -> None:
        """The plan is carried out: the next one is another."""
        self._plan = None

    def _spare_contests(self, state: TuningState) -> list[Contest]:
        ahead = gating.ahead(self.setup, state) if state.phase is TuningPhase.GATE else []
        return [*ahead, *(self._contest_of(question, state) for question in state.questions)]

    def _contest_of(self, question: OpenQuestion, state: TuningState) -> Contest:
        if question.id not in self._contests:
            open_ids = {each.id for each in state.questions}
            self._contests = {number: made for number, made in self._contests.items() if number in open_ids}
            self._contests[question.id] = searching.contest_of(question, self.setup, state, self.space)
        return self._contests[question.id]
