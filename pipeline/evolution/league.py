"""Who sits opposite in every game, and when in the curriculum: itself, past selves, past champions, heuristics.

Opponents are drawn by how hard they are (prioritised fictitious self-play: Vinyals et al. 2019, "Grandmaster level in
StarCraft II using multi-agent reinforcement learning", `f_hard`): the weight of one that the learner scores x against
is (1 - x) ** 2 and a little, so that those it loses to come oftenest and none is forgotten. Scores are per learner and
opponent of one game (outlived it 1, died with it 1/2, else 0), so that duels and games of four count alike, and fade.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue
from torch import Tensor

from pipeline.engine.players.kinds import kind_of, name_of
from pipeline.evolution.training_state import Weights
from pipeline.simulator.go_snake import GO_SNAKE, GO_SNAKE_NAME
from schemas.phases import TrainingPhaseConfig
from schemas.self_play import OpponentShare, SelfPlaySettings

LEARNER: Final = 255
RESIDENTS: Final = (254, 253)
"""Marks in a seating of the frozen networks at the table; of the numbers below them GO_SNAKE is the bundled Go snake,
and every other a player kind."""
HARDNESS: Final = 2.0
_FORGOTTEN: Final = 0.02
"""Weight that an opponent which is always beaten keeps."""
_PRIOR_GAMES: Final = 8.0
_MEMORY_GAMES: Final = 400.0
"""Games with an opponent after which the older half of them counts for little."""
_PAST, _CHAMPION, _HEURISTIC = "past", "champion", "heuristic"
WARM_UP_UPDATES: Final = 10
LAST_RATE: Final = 0.1
"""Of the learning rate, what is left at the end of a phase."""


class OpponentShares(NamedTuple):
    """How often a game's opponents are built-in players, and frozen networks; the rest plays against itself."""

    heuristics: float
    frozen: float


class OpponentRecord(NamedTuple):
    """Games with one opponent, fading, and the learner's score in them."""

    games: float = 0.0
    score: float = 0.0

    @property
    def mean(self) -> float:
        """0..1, drawn towards a half while few games are known."""
        return (self.score + _PRIOR_GAMES / 2) / (self.games + _PRIOR_GAMES)

    def plus(self, games: float, score: float) -> "OpponentRecord":
        """With new games; the older ones fade."""
        kept = min(1.0, max(0.0, _MEMORY_GAMES - games) / max(self.games, 1e-9))
        return OpponentRecord(self.games * kept + games, self.score * kept + score)


def player_mark(name: str) -> int:
    """Return the mark of the player of this name, GO_SNAKE or a player kind; KeyError if there is none."""
    if name == GO_SNAKE_NAME:
        return GO_SNAKE
    try:
        return kind_of(name)
    except KeyError as error:
        raise KeyError(f"{error.args[0]}, and {GO_SNAKE_NAME}") from error


def player_name(mark: int) -> str:
    """Return the name of GO_SNAKE or a player kind; KeyError if it is neither."""
    return GO_SNAKE_NAME if mark == GO_SNAKE else name_of(mark)


def hardness(score: float) -> float:
    """The weight of an opponent that the learner scores so against (0..1)."""
    return float((1 - score) ** HARDNESS + _FORGOTTEN)


class League:
    """The opponents and how the learner does against each; all chance comes from generators that the caller hands in.

    Frozen networks are past selves (`past:<update>`) and champions (`champion:<model id>`). Past selves are spread over
    the learner's whole life: where there is no room, the one is dropped whose neighbours in time are closest, so that
    the league remembers its youth (the newest always stays). Of champions the newest stay. As many as there are
    `RESIDENTS` sit at the table at once, each for a while, so that a game is played out against one and the same.
    """

    def __init__(
        self, heuristics: Sequence[OpponentShare], past_selves: int, champions: int, go_snake_weight: float = 0.0
    ) -> None:
        """Know the built-in opponents by name and weight, the Go snake among them; keep up to so many past selves and
        champions.

        Raises:
            KeyError: a name that no built-in player has.
        """
        shares = [(kind_of(share.kind), share.weight) for share in heuristics]
        shares += [(GO_SNAKE, go_snake_weight)] if go_snake_weight > 0 else []
        self._kinds: Final = np.array([kind for kind, _ in shares], np.uint8)
        self._shares: Final = np.array([weight for _, weight in shares], np.float64)
        self._past_room, self._champion_room = past_selves, champions
        self._frozen: dict[str, Weights] = {}
        self.records: dict[str, OpponentRecord] = {}
        self.residents: list[str | None] = [None] * len(RESIDENTS)
        self.tables = 0
        """Counts the changes at the table."""

    @property
    def participants(self) -> list[str]:
        """All frozen networks: champions in the order they came, then past selves, oldest first."""
        return [*self._champions(), *self._past_selves()]

    def remember(self, update: int, weights: Mapping[str, Tensor]) -> None:
        """Keep a copy of the learner's `weights` as they are after this many updates: by name, of the shapes and dtypes
        of `state_dict`."""
        if self._past_room == 0:
            return
        self._frozen[f"{_PAST}:{update}"] = _copy(weights)
        self._make_room()

    def _make_room(self) -> None:
        while len(kept := self._past_selves()) > self._past_room:
            # Never the newest, while there is room for one; the first may go, its gap counts from update 0.
            updates = [_update_of(name) for name in kept]
            gaps = [after - before for before, after in zip([0, *updates], updates[1:], strict=False)]
            self._drop(kept[int(np.argmin(gaps))] if gaps else kept[0])
        champions = self._champions()
        for former in champions[: max(0, len(champions) - self._champion_room)]:
            self._drop(former)

    def welcome(self, model_id: str, weights: Mapping[str, Tensor]) -> bool:
        """Take a champion in, as the newest; False: it is here already. `weights`: by name,
        of the shapes and dtypes of `state_dict`."""
        name = f"{_CHAMPION}:{model_id}"
        if self._champion_room == 0 or name in self._frozen:
            return False
        self._frozen[name] = _copy(weights)
        self._make_room()
        return True

    def weights_of(self, name: str) -> Weights:
        """A frozen network's weights."""
        return self._frozen[name]

    def change_residents(self, generator: np.random.Generator) -> int | None:
        """Let another frozen network take one of the residents' places, drawn by hardness; return which place, None
        while there is nobody."""
        if not self._frozen:
            return None
        place = self.tables % len(RESIDENTS)
        names = self.participants
        weights = np.array([hardness(self.record_of(name).mean) for name in names])
        self.residents[place] = names[int(generator.choice(len(names), p=weights / weights.sum()))]
        self.tables += 1
        return place

    def last_change(self, place: int) -> int:
        """`tables` as it stood after this resident's place was last given to somebody."""
        return max(0, self.tables - (self.tables - 1 - place) % len(RESIDENTS))

    def record_of(self, name: str) -> OpponentRecord:
        """How the learner does against an opponent."""
        return self.records.get(name, OpponentRecord())

    def note(self, faced: NDArray[np.float64]) -> None:
        """Add what was seen of each opponent: float64[256, 2], by its mark the games and the learner's score."""
        for mark in np.flatnonzero(faced[:, 0]).tolist():
            name = self._name_of(mark)
            if name is not None:
                self.records[name] = self.record_of(name).plus(*faced[mark].tolist())

    def title_of(self, mark: int) -> str:
        """What a mark of a seating is called where the game is shown."""
        if mark == LEARNER:
            return "learner"
        if mark not in RESIDENTS:
            return player_name(mark)
        kind, _, which = (self.residents[RESIDENTS.index(mark)] or "").partition(":")
        return {_PAST: f"itself, update {which}", _CHAMPION: f"champion {which}"}.get(kind, "learner")

    def matchmake(
        self, games: int, seats: int, shares: OpponentShares, generator: np.random.Generator
    ) -> NDArray[np.uint8]:
        """Return who plays, uint8[games, seats]: LEARNER, one of RESIDENTS or a player kind.

        The learner has at least one seat of each game, at any place. In a game with built-in opponents each other
        seat draws its own, by its weight and its hardness; in a game with frozen networks all others are one of them.
        """
        seated = np.full((games, seats), LEARNER, np.uint8)
        lot = generator.random(games)
        others = generator.integers(1, seats, (games, 1)) if seats > 1 else np.zeros((games, 1), np.int64)
        places = generator.permuted(np.tile(np.arange(seats), (games, 1)), axis=1)
        heuristic = (lot < shares.heuristics)[:, None] & (places > 0)
        frozen = (lot >= shares.heuristics) & (lot < shares.heuristics + shares.frozen)
        if len(self._kinds):
            kinds = generator.choice(self._kinds, (games, seats), p=self._kind_chances())
            # Half of the crowded games have heuristics in all other seats, the rest also more of the learner.
            full = generator.random((games, 1)) < 0.5
            heuristic &= full | (places <= others)
            seated[heuristic] = kinds[heuristic]
        there = np.array([mark for mark, name in zip(RESIDENTS, self.residents, strict=True) if name], np.uint8)
        if len(there):
            who = np.repeat(generator.choice(there, (games, 1)), seats, 1)
            theirs = frozen[:, None] & (places > 0)
            seated[theirs] = who[theirs]
        return seated

    def _kind_chances(self) -> NDArray[np.float64]:
        hard = [hardness(self.record_of(f"{_HEURISTIC}:{player_name(kind)}").mean) for kind in self._kinds.tolist()]
        chances = self._shares * np.array(hard)
        return np.asarray(chances / chances.sum())

    def _name_of(self, mark: int) -> str | None:
        if mark in RESIDENTS:
            return self.residents[RESIDENTS.index(mark)]
        return None if mark == LEARNER else f"{_HEURISTIC}:{player_name(mark)}"

    def _champions(self) -> list[str]:
        return [name for name in self._frozen if name.startswith(_CHAMPION)]

    def _past_selves(self) -> list[str]:
        return sorted((name for name in self._frozen if name.startswith(_PAST)), key=_update_of)

    def _drop(self, name: str) -> None:
        del self._frozen[name]
        self.records.pop(name, None)
        self.residents = [None if resident == name else resident for resident in self.residents]

    def to_arrays(self) -> dict[str, Tensor]:
        """All frozen networks as named tensors, "<participant>/<name>", of the shapes and dtypes of `state_dict`; for
        checkpoints."""
        return {f"{who}/{name}": tensor for who, weights in self._frozen.items() for name, tensor in weights.items()}

    def counters(self) -> dict[str, JsonValue]:
        """All else of the league as JSON."""
        records: dict[str, JsonValue] = {name: list(record) for name, record in self.records.items()}
        return {
            "order": list(self._frozen),
            "records": records,
            "residents": list(self.residents),
            "tables": self.tables,
        }

    def restore(self, arrays: Mapping[str, Tensor], counters: Mapping[str, JsonValue]) -> None:
        """Take back what `to_arrays` (same names, shapes and dtypes) and `counters` gave, as far as there is room for
        it."""
        found: dict[str, Weights] = {name: {} for name in _texts(counters["order"])}
        for key, tensor in arrays.items():
            who, name = key.split("/", 1)
            found[who][name] = torch.clone(tensor)
        self._frozen = found
        records, residents, tables = counters["records"], counters["residents"], counters["tables"]
        assert isinstance(records, dict) and isinstance(residents, list) and isinstance(tables, int)
        self.records = {name: OpponentRecord(*_floats(record)) for name, record in records.items()}
        self.residents = [None if name is None else str(name) for name in residents]
        self.tables = tables
        self._make_room()


def _copy(weights: Mapping[str, Tensor]) -> Weights:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in weights.items()}


def _update_of(name: str) -> int:
    return int(name.partition(":")[2])


def _texts(value: JsonValue) -> list[str]:
    assert isinstance(value, list)
    return [str(item) for item in value]


def _floats(value: JsonValue) -> list[float]:
    assert isinstance(value, list)
    return [float(str(item)) for item in value]


class CurriculumStage(NamedTuple):
    """What holds for one update: the teacher's part of its weight, the share of four-player games, who sits opposite,
    and the learning rate's factor."""

    teacher: float
    crowd: float
    shares: OpponentShares
    rate: float


def phase_curriculum(phase: TrainingPhaseConfig, settings: SelfPlaySettings, done: float) -> CurriculumStage:
    """The course of a phase that has an end, `done` (0..1) of it being over: the rate falls in a straight line."""
    return _stage(phase, settings, done, 1 - (1 - LAST_RATE) * done)


def continual_curriculum(phase: TrainingPhaseConfig, settings: SelfPlaySettings, updates: int) -> CurriculumStage:
    """The course of a learner that lives for ever, after so many updates of its life: the curriculum comes to its end
    once and stays there, the rate stays what it is."""
    return _stage(phase, settings, min(1.0, updates / settings.curriculum_updates), 1.0)


def warm_up(updates: int) -> float:
    """The factor of the rate while Adam's moments are young: rises to 1 over a learner's first updates."""
    return min(1.0, (updates + 1) / WARM_UP_UPDATES)


def _stage(phase: TrainingPhaseConfig, settings: SelfPlaySettings, done: float, rate: float) -> CurriculumStage:
    last = phase.heuristic_mix_ratio if phase.heuristic_mix_ratio_end is None else phase.heuristic_mix_ratio_end
    heuristics = phase.heuristic_mix_ratio + (last - phase.heuristic_mix_ratio) * done
    ramp = (done - settings.crowd_from) / (1 - settings.crowd_from) if settings.crowd_from < 1 else 0.0
    return CurriculumStage(
        teacher=max(0.0, 1 - done / settings.teacher_until) if settings.teacher is not None else 0.0,
        crowd=settings.crowd_share * min(1.0, 2 * max(0.0, ramp)),
        shares=OpponentShares(heuristics, (1 - heuristics) * settings.past_self_share),
        rate=rate,
    )


class TeacherTargets(NamedTuple):
    """Which players (a kind, or GO_SNAKE) label the learner's positions (None: nobody), each in which share of the
    games; where both are asked it is the expert's move that counts."""

    teacher: int | None = None
    share: float = 0.0
    expert: int | None = None
    expert_share: float = 0.0
