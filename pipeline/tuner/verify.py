"""`ouroboros tune verify RUN`: every step of a run taken once more from its games, and held against the ledger.

What is checked: that the questions asked follow from the answers told, that the gate decides as it did, that the
champion and the measured figures are those recorded, and that nothing but the games in the ledger was needed for it.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from pipeline.tuner.jobs import JobResult
from pipeline.tuner.ledger import NAME, Ledger, LedgerStep, StoredStep
from pipeline.tuner.ledger_access import understood
from pipeline.tuner.scheduler import JobOutcome
from pipeline.tuner.setup import restored
from pipeline.tuner.tuning import Tuning
from pipeline.tuner.weights import WeightFile, hash_of, parse
from schemas.errors import StateError
from schemas.outside_text import LINE_LIMIT, line
from schemas.tuning import SearchKind
from schemas.tuning_run import WeightValue


@dataclass(frozen=True)
class Verification:
    """What came of it."""

    run: str
    steps: int
    games: int
    decisions: int
    """The gate's verdicts decided again."""
    champion: str
    """Hash of the champion that the games lead to."""
    disagreement: str
    """The first step that does not follow, in a sentence; empty: all of them do."""
    taken_as_recorded: bool
    """Candidates of the strategy `random` are drawn by code that may be the user's: they are taken as recorded."""

    def words(self) -> str:
        """For people."""
        if self.disagreement:
            return f"✗ {self.run}: {self.disagreement}"
        rest = " Candidates were taken as recorded (search random)." if self.taken_as_recorded else ""
        return (
            f"✓ {self.run}: {self.steps} steps decided again from {self.games} games, {self.decisions} verdicts of the "
            f"gate among them, come to the same; champion {self.champion[:12]}.{rest}"
        )


def verify(book: Ledger, run: str) -> Verification:
    """Take every step of the run again.

    Raises:
        StateError: there is no such run, it has no steps, or they cannot be read.
        SettingsError: its search is a class of the user's that cannot be imported.
    """
    with understood(book.folder / NAME, run):
        return _Replay(book, run).run()


class _Replay:
    def __init__(self, book: Ledger, run: str) -> None:
        self._book, self._run = book, run
        self._steps = list(book.steps(run))
        if not self._steps:
            raise StateError(f"the run {run!r} has no steps", remedy="It was ended before its first one.")
        self._present: StoredStep = self._steps[0]
        self._games = self._decisions = 0
        setup = restored(self._steps[0].body["setup"])
        self._recorded = setup.strategy == SearchKind.RANDOM
        self._tuning = Tuning(setup, book.first_state(run), self._as_recorded)

    def run(self) -> Verification:
        disagreement = ""
        for stored in self._steps:
            self._present = stored
            disagreement = self._disagreement(stored)
            if disagreement:
                break
        else:
            if self._tuning.state.model_dump_json() != self._book.state(self._run).model_dump_json():
                disagreement = "the state in the ledger is not the one that its steps lead to"
        champion = hash_of(self._tuning.state.champion)
        return Verification(
            self._run, len(self._steps), self._games, self._decisions, champion, disagreement, self._recorded
        )

    def _disagreement(self, stored: StoredStep) -> str:
        where = f"step {stored.serial} ({stored.kind}, {stored.at})"
        try:
            step = self._taken(stored)
        except _MissingGamesError as error:
            return f"{where}: {error}"
        if step.kind != stored.kind:
            return f"{where}: the games lead to {step.kind!r} here"
        body = json.loads(json.dumps(step.body))
        if body != stored.body:
            odd = sorted(key for key in {*body, *stored.body} if body.get(key) != stored.body.get(key))
            return f"{where}: {', '.join(odd)} should be {line(str([body.get(key) for key in odd]), LINE_LIMIT)}"
        return "" if self._tuning.state_hash() == stored.state_hash else f"{where}: leads to another state"

    def _taken(self, stored: StoredStep) -> LedgerStep:
        own: dict[str, Callable[[], LedgerStep]] = {
            "started": lambda: self._tuning.started(restored(stored.body["setup"])),
            "edited": lambda: self._tuning.edited(
                stored.body["text"],
                conflict=stored.body["conflict"],
                setup=restored(stored.body["setup"]) if "setup" in stored.body else None,
            ),
            "asked": self._tuning.remeasure,
        }
        if stored.kind in own:
            return own[stored.kind]()
        jobs = {job.id: job for job in self._tuning.jobs()}
        outcomes = {job: self._outcome(job, len(jobs[job].games)) for job in self._tuning.due()}
        self._games += sum(len(found.games) for found in outcomes.values() if isinstance(found, JobResult))
        self._decisions += stored.kind == "judged"
        return self._tuning.advance(outcomes)

    def _outcome(self, job: str, count: int) -> JobOutcome:
        failure = self._book.failure(self._run, job)
        if failure is not None:
            return failure
        games = self._book.games(self._run, job)
        if len(games) != count:
            raise _MissingGamesError(f"{count - len(games)} games of {job} are not in the ledger")
        return JobResult(job, tuple(games[number] for number in range(count)))

    def _as_recorded(self, champion: WeightFile, _random: Random) -> dict[str, WeightValue]:
        text = self._present.body.get("text")
        if text is None:
            return {}
        values = parse(text, "recorded").values
        return {path: value for path, value in values.items() if champion.values.get(path) != value}


class _MissingGamesError(Exception):
    """The ledger lacks what a step stands on."""
