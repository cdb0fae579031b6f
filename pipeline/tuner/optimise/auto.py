"""Two searches race for some thousand games, and the better one goes on.

Each gets games in turns, the one that has had fewest next. What a search would give to the gate meanwhile is kept as
its best so far; when the games are spent these meet in direct games, and the winner is the first candidate of the one
that goes on. The loser's games are lost: in a run of fewer than 20,000 games they are much of it.
"""

import json
from collections.abc import Sequence
from typing import Any, Self

from pipeline.tuner.optimise import Answer, Optimiser, Point, Question, SearchSpace
from pipeline.tuner.optimise.optuna_search import CmaEs
from pipeline.tuner.optimise.racing import Raced
from pipeline.tuner.optimise.snapshot import pack, point_of, unpack

KIND = "auto"
RACERS: dict[str, type[Raced] | type[CmaEs]] = {"spsa": Raced, "cma_es": CmaEs}
RACE_GAMES = 4000
FINAL_PAIRS = 64
_FINAL = "final"


class Auto:
    """An `Optimiser` made of others; see the module's text."""

    def __init__(self, space: SearchSpace) -> None:
        self._space = space
        self._race_games = RACE_GAMES
        self._searches: dict[str, Optimiser] = {name: racer(space) for name, racer in RACERS.items()}
        self._games = dict.fromkeys(RACERS, 0)
        self._best: dict[str, Point] = {}
        self._next = 0
        self._open: dict[int, tuple[str, int]] = {}
        """Number -> the search that asks, and its own number."""
        self._final: int | None = None
        self._chosen: str | None = None
        self._candidate: Point | None = None

    @property
    def chosen(self) -> str | None:
        """The search that goes on; None while they race."""
        return self._chosen

    def ask(self, count: int) -> list[Question]:
        asked: list[Question] = []
        while len(asked) < count:
            question = self._question()
            if question is None:
                break
            asked.append(question)
        return asked

    def _question(self) -> Question | None:
        if self._chosen is None and self._final is None and sum(self._games.values()) >= self._race_games:
            final = self._end_race()
            if final is not None:
                return final
        name = self._chosen or min(self._games, key=lambda racer: (self._games[racer], racer))
        inner = self._searches[name].ask(1)
        if not inner:
            self._games[name] += 1  # it waits: the other one's turn
            return None
        number = self._opened(name, inner[0].id)
        self._games[name] += 2 * inner[0].pairs
        return Question(number, inner[0].first, inner[0].second, inner[0].pairs)

    def _opened(self, name: str, inner: int) -> int:
        number = self._next
        self._next += 1
        self._open[number] = (name, inner)
        return number

    def _end_race(self) -> Question | None:
        """The deciding games, if both have something; who has nothing has lost; if none has, the race goes on."""
        names = [name for name in RACERS if name in self._best]
        if len(names) == 2:
            self._final = self._opened(_FINAL, 0)
            return Question(self._final, self._best[names[0]].copy(), self._best[names[1]].copy(), FINAL_PAIRS)
        if names:
            self._choose(names[0])
        else:
            self._race_games += self._race_games // 2
        return None

    def _choose(self, name: str) -> None:
        self._chosen, self._final = name, None
        self._candidate = self._best.get(name)

    def tell(self, answers: Sequence[Answer]) -> None:
        for answer in answers:
            if answer.question not in self._open:
                raise ValueError(f"question {answer.question} is not open")
            name, inner = self._open.pop(answer.question)
            if name == _FINAL:
                score = sum(answer.scores) / len(answer.scores) if answer.scores else 0.5
                self._choose(list(RACERS)[0 if score >= 0.5 else 1])
                continue
            self._searches[name].tell([Answer(inner, answer.scores)])
            self._keep_best(name)

    def _keep_best(self, name: str) -> None:
        if self._chosen is None:
            found = self._searches[name].candidate()
            if found is not None:
                self._best[name] = found
                self._searches[name].judged(found, False, 0.0)

    def candidate(self) -> Point | None:
        if self._chosen is None:
            return None
        return self._candidate.copy() if self._candidate is not None else self._searches[self._chosen].candidate()

    def judged(self, point: Point, promoted: bool, gain: float) -> None:
        self._candidate = None
        if self._chosen is not None:
            self._searches[self._chosen].judged(point, promoted, gain)

    def state(self) -> bytes:
        told: dict[str, Any] = {
            "searches": {name: json.loads(search.state()) for name, search in self._searches.items()},
            "games": self._games,
            "race_games": self._race_games,
            "best": self._best,
            "next": self._next,
            "open": [[number, *what] for number, what in self._open.items()],
            "final": self._final,
            "chosen": self._chosen,
            "candidate": self._candidate,
        }
        return pack(KIND, self._space, told)

    @classmethod
    def restore(cls, state: bytes) -> Self:
        space, told = unpack(KIND, state)
        search = cls(space)
        for name, racer in RACERS.items():
            search._searches[name] = racer.restore(json.dumps(told["searches"][name], sort_keys=True).encode())
        search._games, search._race_games = told["games"], told["race_games"]
        search._best = {name: point_of(point) for name, point in told["best"].items()}
        search._next, search._final, search._chosen = told["next"], told["final"], told["chosen"]
        search._open = {number: (name, inner) for number, name, inner in told["open"]}
        search._candidate = None if told["candidate"] is None else point_of(told["candidate"])
        return search
