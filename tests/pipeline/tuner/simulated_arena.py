"""An arena without snakes: games are drawn with known win probabilities. Only for tests.

A configuration's strength is the sum of its numbers called `strength*`; the first player of a match wins a game with
probability 0.5 + half the difference of strengths, each game drawn from the seed, so a repetition gives the same.
"""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from pipeline.snakes.abandoned import Abandoned
from pipeline.tuner import weights
from pipeline.tuner.arena import Player, Round, RoundResult
from schemas.errors import SnakeError

CONFIG = """\
# a snake for tests
body:
  strength: 0.0  # [-1, 1] points
  strength_rarely: 0  # [-3, 3] whole
other:
  idle: 5.0   # does nothing
  count: 7
  on: true
name: viper
"""


class SimulatedPlayer:
    def __init__(self, name: str, strength: float, arena: "SimulatedArena") -> None:
        self._name, self.strength, self._arena = name, strength, arena
        self.closed = False
        arena.open_players.add(self)

    @property
    def name(self) -> str:
        return self._name

    def close(self) -> None:
        self.closed = True
        self._arena.open_players.discard(self)


class SimulatedArena:
    """See the module's text.

    Args:
        refuse: raises what a build or start would; called with name and text.
        failing: whether a snake fails to answer in the round of this seed and these players' names.
        before_round: called before every round, with its seed.
    """

    def __init__(
        self,
        *,
        refuse: Callable[[str, str], None] = lambda _name, _text: None,
        failing: Callable[[int, str], bool] = lambda _seed, _name: False,
        before_round: Callable[[int], None] = lambda _seed: None,
        scale: float = 1.0,
    ) -> None:
        self._refuse, self._failing, self._before_round, self._scale = refuse, failing, before_round, scale
        self.open_players: set[SimulatedPlayer] = set()
        self.seeds: list[int] = []
        self.games = 0

    def player(self, name: str, config: str, abandon: Callable[[], bool]) -> Player:
        self._refuse(name, config)
        values = weights.parse(config, name).values
        return SimulatedPlayer(name, sum(v for k, v in values.items() if "strength" in k), self)

    def opponent(self, where: str, abandon: Callable[[], bool]) -> Player:
        if not where.startswith("http"):
            raise SnakeError("no such opponent", where=where)
        return SimulatedPlayer(where, 0.1, self)

    def play(
        self, rounds: Sequence[Round], on_round: Callable[[RoundResult], bool], abandon: Callable[[], bool]
    ) -> None:
        for round_ in rounds:
            if abandon():
                raise Abandoned
            self._before_round(round_.seed)
            self.seeds.append(round_.seed)
            scores, failures = [], []
            for first, second in round_.matches:
                assert isinstance(first, SimulatedPlayer)
                assert isinstance(second, SimulatedPlayer)
                assert not first.closed
                assert not second.closed
                chance = random.Random(f"{round_.seed} {first.name} {second.name}")
                wins = 0.5 + self._scale * (first.strength - second.strength) / 2
                scores.append(sum(chance.random() < wins for _ in range(2)) / 2)
                failures += [p.name for p in (first, second) if self._failing(round_.seed, p.name)]
            self.games += 2 * len(scores)
            words = tuple(f"{name}: timeout" for name in failures)
            result = RoundResult(round_.seed, tuple(scores), 2 * len(scores), min(len(failures), 2), words)
            if on_round(result):
                return

    def __enter__(self) -> "SimulatedArena":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for player in list(self.open_players):
            player.close()


def snake_folder(folder: Path, text: str = CONFIG) -> Path:
    """A snake folder with nothing but its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return folder
