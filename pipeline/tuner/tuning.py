"""What a run does next: a state machine that knows neither clocks nor files nor snakes.

It says which games it wants, and given their results it takes one step: a new state, and a row for the ledger. The same
results give the same steps, in whatever order the games were really played, so a run that was killed goes on exactly,
and `ouroboros tune verify` can take every step once more.

With several objectives there is no gate: FRONT measures the contenders of the Pareto front instead.

Phases: BASELINE measures the champion; SEARCH keeps a fixed number of the optimiser's questions in play and tells the
answers in the order in which they were asked; a candidate is judged in GATE and, once promoted, measured in MEASURE.
Questions that are open meanwhile keep their games, and spare cores.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pipeline.tuner import fronts, gating, interactions, measuring, screen, searching, weights
from pipeline.tuner.contest import Contest
from pipeline.tuner.faults import count_sides, require_playable, require_sound
from pipeline.tuner.gating import GateConclusion
from pipeline.tuner.jobs import JobFailure, JobResult, MatchJob
from pipeline.tuner.ledger import LedgerStep
from pipeline.tuner.optimise import Point
from pipeline.tuner.optimise.build import ASKING
from pipeline.tuner.optimise.front import FrontSearch
from pipeline.tuner.scheduler import JobOutcome
from pipeline.tuner.setup import Setup
from pipeline.tuner.space import Space
from pipeline.tuner.wanted_games import WantedGames
from pipeline.tuner.weights import hash_of
from schemas.tuning_run import CandidateDecision, OpenGate, TuningPhase, TuningState


class Tuning:
    """A run at some moment. Every step replaces `state`; whoever drives it commits the step first.

    Args:
        setup: what this start was told.
        perturb: the strategy `random`: changes of the champion, drawn from the generator given.
    """

    def __init__(self, setup: Setup, state: TuningState, perturb: searching.Perturb) -> None:
        self.setup, self.state, self._perturb = setup, state, perturb
        self._failure: JobFailure | None = None
        self._failed_at_start = self._exhausted = False
        self._load()

    def _load(self) -> None:
        state = self.state
        self.champion = weights.parse(state.champion, state.snake)
        self.reference = weights.parse(state.reference, state.snake)
        self.space = Space(self.reference, self.setup.rules, frozenset(state.inert))
        self._wanted = WantedGames(self.setup, self.space, self.reference, self.champion)
        self._optimiser = searching.optimiser_of(self.setup, state, self.space, self._drawn)

    def _drawn(self, number: int) -> Point:
        return searching.drawn(self._perturb, self.state, self.space, self.champion, number)

    # What is wanted

    def jobs(self) -> list[MatchJob]:
        """The games wanted now, those that the next step needs first."""
        return self._wanted.jobs(self.state)

    def due(self) -> tuple[str, ...]:
        """The jobs whose results the next step needs."""
        return tuple(job.id for job in self._wanted.due_jobs(self.state))

    # Steps

    def advance(self, outcomes: Mapping[str, JobOutcome]) -> LedgerStep:
        """Take the next step; `outcomes` are those of the jobs that are `due`.

        Raises:
            ValueError: outcomes that are none of what is due.
        """
        if self.state.phase is TuningPhase.SCREEN:
            return self._screened(outcomes)
        contests = self._wanted.due_contests(self.state)
        jobs = {job.id: job for contest in contests for job in contest.jobs}
        failure = next((found for job in jobs if isinstance(found := outcomes[job], JobFailure)), None)
        results = {job: found for job in jobs if isinstance(found := outcomes[job], JobResult)}
        self._failure = failure
        self._failed_at_start = failure is not None and self.state.phase is TuningPhase.BASELINE
        wanted_before = [job.id for job in self.jobs()]
        self._update(failures=self.state.failures + 1 if failure else 0 if results else self.state.failures)
        self._count(jobs, results)
        kind, body = self._take(contests, results, failure)
        wanted = {job.id for job in self.jobs()}
        return LedgerStep(
            kind,
            body if failure is None else {**body, "failure": str(failure)},
            closes=tuple(jobs),
            drops=tuple(job for job in wanted_before if job not in wanted and job not in jobs),
        )

    def _screened(self, outcomes: Mapping[str, JobOutcome]) -> LedgerStep:
        """Jobs that could not be played only make a weight's effect unknown."""
        plan = self._wanted.screen_plan(self.state)
        jobs = {job.id: job for job in plan.jobs}
        results = {job: found for job in jobs if isinstance(found := outcomes[job], JobResult)}
        self._failure = None
        self._count(jobs, results)
        inert, body = screen.screened(plan, results, self.setup, self.state)
        self._wanted.screened()
        self._update(screen_due=False, screens=self.state.screens + 1, phase=TuningPhase.SEARCH)
        drops: tuple[str, ...] = ()
        if inert != self.state.inert:
            drops = self._new_chapter(self.state.champion, inert)
        self._begin_phase()
        return LedgerStep("screened", body, closes=tuple(jobs), drops=tuple(job for job in drops if job not in jobs))

    def check(self) -> None:
        """Raise what ends the run, after a step was committed.

        Raises:
            EvaluationError: a side fails to answer too often.
            SnakeError: the champion or an opponent cannot be played at all, too many jobs in a row cannot, or the
                strategy has no change to propose.
        """
        require_sound(self.state)
        require_playable(
            self.state,
            self._failure,
            self.setup.max_failures,
            at_start=self._failed_at_start,
            exhausted=self._exhausted,
        )

    def _take(
        self, contests: Sequence[Contest], results: Mapping[str, JobResult], failure: JobFailure | None
    ) -> tuple[str, dict[str, object]]:
        phase = self.state.phase
        if phase is TuningPhase.SEARCH:
            return self._tell(contests, results)
        if phase is TuningPhase.GATE:
            return self._judge(contests, results, failure)
        if phase is TuningPhase.CROSSING:
            return self._crossed(contests, results, failure)
        if phase is TuningPhase.FRONT:
            return self._front_measured(contests, results)
        if failure is not None:  # the next measurement is another one, on other seeds
            self._update(measurements=self.state.measurements + 1)
            return "measured", {}
        if phase is TuningPhase.BASELINE:
            self.state, body = measuring.baseline_measured(self.state, contests[0], results)
        else:
            self.state, body = measuring.measured(self.setup, self.state, contests, results)
        self._search_on()
        return "measured", body

    def _tell(self, contests: Sequence[Contest], results: Mapping[str, JobResult]) -> tuple[str, dict[str, object]]:
        body: dict[str, object] = {}
        if contests:
            question, *others = self.state.questions
            answer = searching.answer_of(question, self.setup, contests[0], results)
            self._optimiser.tell([answer])
            self._update(questions=tuple(others))
            if self.setup.settings.search_patience_games:
                games = sum(len(result.games) for result in results.values())
                self._update(searched_games=self.state.searched_games + games)
            body = {"question": question.id, "scores": answer.scores}
        candidate = self._optimiser.candidate()
        self._exhausted = candidate is None and not self._ask() and not self.state.questions
        if candidate is not None:
            body |= self._open_gate(candidate)
        elif isinstance(self._optimiser, FrontSearch) and (points := self._optimiser.contenders()):
            self.state = fronts.opened(self.state, [self.space.file(point, self.champion).text for point in points])
        elif self._out_of_patience() and (deeper := self._deeper()):
            body |= {"deeper": deeper, "without": self.state.searched_games}
            self._deepen()
            self._search_on()
        self._keep_optimiser()
        return "told", body

    def _crossed(
        self, contests: Sequence[Contest], results: Mapping[str, JobResult], failure: JobFailure | None
    ) -> tuple[str, dict[str, object]]:
        body: dict[str, object] = {}
        if failure is None:
            body = interactions.crossed(self.space, self.reference, self.champion, list(contests), results)
        self._update(crossing_due=False)
        self._search_on()
        return "crossed", body

    def _front_measured(
        self, contests: Sequence[Contest], results: Mapping[str, JobResult]
    ) -> tuple[str, dict[str, object]]:
        """Contenders that could not be played are left out."""
        whole = [contest for contest in contests if all(job.id in results for job in contest.jobs)]
        self.state, body = fronts.measured(self.setup, self.state, whole, results)
        assert isinstance(self._optimiser, FrontSearch)
        self._optimiser.measured()
        self._search_on()
        return "front", body

    def _ask(self) -> bool:
        """Fill up the questions in play; whether any was added."""
        room = self.setup.settings.questions_in_flight - len(self.state.questions)
        fresh = searching.questions(self._optimiser, room, self.space, self.champion)
        questions = (*self.state.questions, *fresh)
        texts = {**self.state.bases, self.champion.hash: self.champion.text}
        used = {question.base for question in questions}
        self._update(questions=questions, bases={digest: text for digest, text in texts.items() if digest in used})
        return bool(fresh)

    def _open_gate(self, point: Point) -> dict[str, object]:
        text = self.space.file(point, self.champion).text
        if text == self.champion.text:
            self._optimiser.judged(point, False, 0.0)
            self._update(empty=self.state.empty + 1)
            return {"candidate": hash_of(text), "empty": True}
        number = self.state.gates + 1
        gate = OpenGate(number=number, point=tuple(point.tolist()), text=text, origin=self.setup.strategy)
        self._update(gates=number, gate=gate, phase=TuningPhase.GATE, empty=0, searched_games=0)
        return {"candidate": hash_of(text), "gate": number, "text": text}

    def _judge(
        self, contests: Sequence[Contest], results: Mapping[str, JobResult], failure: JobFailure | None
    ) -> tuple[str, dict[str, object]]:
        gate = self.state.gate
        assert gate is not None
        point = np.array(gate.point)
        if failure is not None:
            self._optimiser.judged(point, False, 0.0)
            self._update(gate=None)
            self._search_on()
            return "skipped", {"gate": gate.number, "candidate": hash_of(gate.text)}
        self.state, verdict = gating.counted(self.setup, self.state, contests, results)
        if verdict is None:
            counted = self.state.gate or gate
            ratio = gating.decision_of(self.setup, counted).ratio
            return "counted", {"gate": gate.number, "seeds": len(counted.gains), "ratio": ratio}
        return "judged", self._conclude(point, verdict)

    def _conclude(self, point: Point, verdict: GateConclusion) -> dict[str, object]:
        gate, promoted = self.state.gate, verdict.decision is CandidateDecision.ACCEPTED
        deeper = self._deeper() if gate is not None and gating.misled(gate, verdict) else None
        if promoted and self.state.inert:
            self._update(screen_due=True)
        if deeper is not None:
            verdict = replace(verdict, reason=f"the search's cheaper games misled it; they are dearer now: {deeper}")
        self.state, body = gating.closed(self.setup, self.state, self.champion, verdict)
        if promoted:
            self.champion = weights.parse(self.state.champion, self.state.snake)
            self._wanted = replace(self._wanted, champion=self.champion)
            crosses = self.setup.settings.interactions and interactions.due_after(self.state.accepted)
            self._update(
                crossing_due=crosses and len(interactions.places(self.space, self.reference, self.champion)) > 1
            )
        # a search that is told of the gain alone would offer the same again
        self._optimiser.judged(point, promoted, verdict.gain if verdict.worst_loss is None else verdict.worst_loss)
        if deeper is not None:
            self._deepen()
        if not promoted:
            self._search_on()
        self._keep_optimiser()
        return body

    def _deeper(self) -> str | None:
        """What dearer games of the search would be played by; None: they cannot be made dearer.

        What a search learned from the cheaper games led it astray, so another one begins from the champion. One of the
        user's own may know more than we do, and is left alone.
        """
        return self.setup.dearer_probe(self.state.deepened) if self.setup.strategy in ASKING else None

    def _out_of_patience(self) -> bool:
        return 0 < self.setup.settings.search_patience_games <= self.state.searched_games

    def _deepen(self) -> None:
        self._update(deepened=self.state.deepened + 1)
        self._new_chapter(self.state.champion)

    def _search_on(self) -> None:
        phase = TuningPhase.SEARCH
        if self.state.screen_due and self.setup.settings.screen:
            phase = TuningPhase.SCREEN
        elif self.state.crossing_due:
            phase = TuningPhase.CROSSING
        self._update(phase=phase)
        if phase is TuningPhase.SEARCH and not self.state.questions:
            self._ask()
        self._keep_optimiser()

    def _keep_optimiser(self) -> None:
        self._update(optimiser=self._optimiser.state().decode())

    # What comes from outside

    def started(self, setup: Setup) -> LedgerStep:
        """A start of the program with these settings; a change of what the optimiser stands on begins a chapter."""
        before, self.setup = self.setup, setup
        self._wanted = replace(self._wanted, setup=setup)
        stands_on = [
            (each.strategy, each.rules, each.opponents, each.settings.objective, each.probe(0), each.gate, each.aims)
            for each in (before, setup)
        ]
        other_code = setup.has_other_code(before)
        if (before.probe(0), before.gate) != (setup.probe(0), setup.gate):
            self._update(deepened=0)
        drops = self._new_chapter(self.state.champion) if other_code or stands_on[0] != stands_on[1] else ()
        if other_code or before.rules != setup.rules or before.probe(0) != setup.probe(0):
            self._update(screen_due=True)
        measured_by = [(each.opponents, each.settings.objective, each.gate) for each in (before, setup)]
        if other_code or measured_by[0] != measured_by[1]:  # the win rate known is of other games
            self._update(best=None, measurement_due=True)
        self._update(failures=0, empty=0)
        self._begin_phase()
        return LedgerStep("started", {"setup": setup.plain()}, drops=drops)

    def is_other_space(self, text: str) -> bool:
        """Whether an edit changed which weights there are, of which kind, or within which bounds or choices."""
        found = [
            {path: (type(weight.value), weight.declared, weight.choices) for path, weight in file.weights.items()}
            for file in (self.champion, weights.parse(text, self.state.snake))
        ]
        return found[0] != found[1]

    def edited(self, text: str, *, conflict: bool = False, setup: Setup | None = None) -> LedgerStep:
        """The weights were edited by hand: the run goes on from them.

        Args:
            conflict: while a candidate was being judged that passed: the edit stays, the candidate is set aside.
            setup: where it `is_other_space`: what follows from these weights. They are the run's reference from now on.
        """
        promoted = self.state.promoted
        body: dict[str, object] = {"text": text, "conflict": conflict}
        if promoted is not None:  # it was never measured: its line says what is known
            facts = promoted.facts
            if conflict:
                changes = {"decision": CandidateDecision.CONFLICT, "improved": False}
                facts = facts.model_copy(update={**changes, "best_config_hash": hash_of(text)})
                self._update(accepted=self.state.accepted - 1)
            body["record"] = facts.model_dump(mode="json")
        self._update(promoted=None, measurement_due=True)
        if setup is not None:  # other weights than before: nothing to compare them with
            self.setup = setup
            body["setup"] = setup.plain()
            self._update(reference=text, best=None)
        elif weights.parse(text, self.state.snake).weights.keys() != self.champion.weights.keys():
            self._update(reference=text, best=None)  # a ledger of before edits told their setup
        drops = self._new_chapter(text)
        self._begin_phase()
        return LedgerStep("edited", body, drops=drops)

    def remeasure(self) -> LedgerStep:
        """Measure the champion anew."""
        self._update(measurement_due=True, measurements=self.state.measurements + 1)
        self._begin_phase()
        return LedgerStep("asked", {"measurement": self.state.measurements})

    def _begin_phase(self) -> None:
        """Where nothing is under way: measure first if that is due, else search."""
        if self.state.phase in (TuningPhase.GATE, TuningPhase.FRONT, TuningPhase.MEASURE):
            return
        if self.state.measurement_due:
            self._update(phase=TuningPhase.BASELINE)
        else:
            self._search_on()
        self._keep_optimiser()

    def _new_chapter(self, champion: str, inert: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Another optimiser, from these weights; returns the jobs that nobody wants any more."""
        drops = tuple(job.id for job in self.jobs())
        self._update(
            champion=champion,
            inert=self.state.inert if inert is None else inert,
            chapter=self.state.chapter + 1,
            strategy=self.setup.strategy,
            optimiser="",
            questions=(),
            searched_games=0,
            bases={},
            gate=None,
            contenders=(),
            front=() if champion != self.state.champion else self.state.front,
            phase=TuningPhase.SEARCH if self.state.promoted is None else TuningPhase.MEASURE,
        )
        self._load()
        return drops

    def state_hash(self) -> str:
        """Of everything that decides what comes next."""
        text = json.dumps(self.state.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def _count(self, jobs: Mapping[str, MatchJob], results: Mapping[str, JobResult]) -> None:
        games = [(jobs[job], game) for job, result in results.items() for game in result.games]
        failed = sum(any(game.failures) for _, game in games)
        side_games, side_failures = count_sides(self.state, games)
        self._update(
            total_games=self.state.total_games + len(games),
            failed_games=self.state.failed_games + failed,
            side_games=side_games,
            side_failures=side_failures,
        )

    def _update(self, **changes: object) -> None:
        self.state = self.state.model_copy(update=changes)
