"""What a start of the tuner is told: settings, the weights' rules, whom to play. Plain data, kept in the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipeline.evaluation.sequential import PENTANOMIAL
from pipeline.referee.endpoint import shown_place
from pipeline.referee.schedule import MatchConditions
from pipeline.snake_code import code_of
from pipeline.tuner import weights
from pipeline.tuner.gate import GateRules, support_of
from pipeline.tuner.jobs import Participant, PlayConditions, SourceKind
from pipeline.tuner.objectives import Aim, aims_of
from pipeline.tuner.snake_source import SnakeSource
from pipeline.tuner.weight_rules import PlayedGames, Specification, WeightRule, conditions_of, specify
from pipeline.tuner.weights import WeightFile
from schemas.errors import SnakeError
from schemas.tuning import Objective, TunerSettings
from schemas.tuning_run import WeightValue

_KINDS: dict[str, type[bool] | type[int] | type[float] | type[str]] = {
    each.__name__: each for each in (bool, int, float, str)
}

_OF_BEFORE: dict[str, bool | int] = {"search_patience_games": 0, "pool_start": False}
"""What decided in runs whose ledgers do not tell these settings."""
TIMEOUT = "timeout_ms"
"""The key among the conditions that is no weight."""


@dataclass(frozen=True)
class Setup:
    """See the module's text.

    Args:
        strategy: `settings.search`, or `random` where a user's own perturbation is to be used.
    """

    settings: TunerSettings
    rules: Specification
    strategy: str
    probe_overrides: Mapping[str, WeightValue]
    gate_overrides: Mapping[str, WeightValue]
    opponents: tuple[Participant, ...] = ()
    pool: tuple[tuple[str, Participant], ...] = ()
    """Name and snake."""
    max_failures: int = 3
    """So many jobs in a row that cannot be played end the run."""
    probe_limits: Mapping[str, WeightValue] = field(default_factory=dict)
    """Path -> what a number of `probe_overrides` may be raised to: the gate's."""
    code: str = ""
    """Digest of the code of all snakes that lie in folders; empty: not known."""

    def has_other_code(self, before: "Setup") -> bool:
        """Whether a snake's code was changed since the start that was told `before`."""
        return bool(self.code and before.code) and self.code != before.code

    def probe(self, deepened: int) -> PlayConditions:
        """How the games that point the way are played, once they have been made dearer so often.

        As the gate's where nothing is left that is cheaper: what the gate leaves to the snake's file is the same there.
        """
        found = self.probe_overrides_at(deepened)
        gates = {**self.probe_limits, **self.gate_overrides}
        return self.gate if found == gates else _conditions(self.settings, found)

    def probe_overrides_at(self, deepened: int) -> dict[str, WeightValue]:
        """`probe_overrides`, numbers doubled so often, up to what the gate's games have."""
        found = dict(self.probe_overrides)
        for path, most in self.probe_limits.items():
            first = found[path]
            if not isinstance(first, str) and not isinstance(most, str):
                found[path] = min(first * 2**deepened, most)
        return found

    def dearer_probe(self, deepened: int) -> str | None:
        """What changes once they are made dearer again, in words; None: they cannot be."""
        before, after = (self.probe_overrides_at(deepened + more) for more in (0, 1))
        return ", ".join(f"{path} {value}" for path, value in after.items() if value != before[path]) or None

    @property
    def gate(self) -> PlayConditions:
        """How the games that decide and measure are played."""
        return _conditions(self.settings, self.gate_overrides)

    @property
    def gate_rules(self) -> GateRules:
        """The promotion's bounds and error rates."""
        settings = self.settings
        return GateRules(
            better_gain=settings.target_improvement,
            null_gain=settings.min_improvement,
            alpha=settings.alpha,
            beta=settings.beta,
            max_seeds=-(-settings.max_games // 2),
            measure_seeds=-(-settings.measure_games // 2),
        )

    @cached_property
    def aims(self) -> tuple[Aim, ...]:
        """The objectives."""
        return aims_of(self.settings)

    @property
    def support(self) -> tuple[float, ...]:
        """The outcomes that a seed of the gate can have."""
        seats = {Objective.DUEL: (2,), Objective.STANDARD: (4,), Objective.MIXED: (2, 4)}[self.settings.objective]
        if self.opponents or seats != (2,):
            return support_of(seats, paired=bool(self.opponents))
        return PENTANOMIAL

    def plain(self) -> dict[str, Any]:
        """As JSON; `restored` gives it back."""
        rules = {
            path: [rule.kind.__name__, rule.low, rule.high, rule.step, rule.scaling, rule.group, list(rule.choices)]
            for path, rule in self.rules.items()
        }
        settings = self.settings.model_dump(mode="json")
        for name, unknown in _OF_BEFORE.items():
            if settings[name] == unknown:
                del settings[name]
        plain = {
            "settings": settings,
            "rules": rules,
            "strategy": self.strategy,
            "probe": dict(self.probe_overrides),
            "gate": dict(self.gate_overrides),
            "opponents": [[who.source.value, who.text] for who in self.opponents],
            "pool": [[name, who.source.value, who.text] for name, who in self.pool],
            "max_failures": self.max_failures,
        }
        # what a ledger of before does not tell stays untold, so that it verifies
        told = {"probe_limits": dict(self.probe_limits), "code": self.code}
        return plain | {name: value for name, value in told.items() if value}


def restored(plain: Mapping[str, Any]) -> Setup:
    """The setup that `Setup.plain` came from."""
    return Setup(
        settings=TunerSettings.model_validate({**_OF_BEFORE, **plain["settings"]}),
        rules={path: _rule(*told) for path, told in plain["rules"].items()},
        strategy=plain["strategy"],
        probe_overrides=plain["probe"],
        gate_overrides=plain["gate"],
        opponents=tuple(Participant(SourceKind(source), text) for source, text in plain["opponents"]),
        pool=tuple((name, Participant(SourceKind(source), text)) for name, source, text in plain["pool"]),
        max_failures=plain["max_failures"],
        probe_limits=plain.get("probe_limits", {}),
        code=plain.get("code", ""),
    )


def _rule(kind: str, low: float, high: float, step: float, scaling: Any, group: str, choices: Any = ()) -> WeightRule:
    return WeightRule(_KINDS[kind], low, high, step, scaling, group, tuple(choices))


def make_setup(
    settings: TunerSettings, source: SnakeSource, champion: WeightFile, strategy: str, max_failures: int
) -> Setup:
    """Read all that a start depends on.

    Raises:
        SnakeError: the weight specification, the conditions, an opponent or the pool cannot be used.
    """
    own = conditions_of(source.specification)
    probe = own.probe if settings.probe_conditions is None else settings.probe_conditions
    gate = own.gate if settings.gate_conditions is None else settings.gate_conditions
    for name, overrides in (("probe_conditions", probe), ("gate_conditions", gate)):
        _require_known(overrides, champion, name)
    rules = specify(champion, source.specification, played_games(settings))
    probe, gate = _but_tuned(probe, rules), _but_tuned(gate, rules)
    opponents = tuple(participant(where) for where in settings.opponents)
    pool = tuple((shown_place(where), participant(where)) for where in settings.pool)
    return Setup(
        settings=settings,
        rules=rules,
        strategy=strategy,
        probe_overrides=probe,
        gate_overrides=gate,
        probe_limits=_raisable(probe, {**champion.values, **gate}),
        opponents=opponents,
        pool=pool,
        max_failures=max_failures,
        code=code_of_all(source, [*opponents, *(who for _, who in pool)]),
    )


def code_of_all(source: SnakeSource, others: Iterable[Participant]) -> str:
    """One digest of our snake's code and of the others' that lie in folders; "" where no file of it is source."""
    folders = [source.folder, *(Path(who.text) for who in others if who.source is SourceKind.FOLDER)]
    codes = [code_of(folder) for folder in folders]
    return sha256(" ".join(codes).encode()).hexdigest()[:32] if any(codes) else ""


def played_games(settings: TunerSettings) -> PlayedGames:
    """What the settings have played, for weights that only matter in some games."""
    games = {"mixed": ("duel", "standard")}.get(settings.objective.value, (settings.objective.value,))
    return PlayedGames(games, settings.ruleset, settings.map, tuple(settings.objectives))


def _conditions(settings: TunerSettings, overrides: Mapping[str, WeightValue]) -> PlayConditions:
    referee = referee_conditions(settings)
    if TIMEOUT in overrides:
        referee = replace(referee, timeout_ms=int(overrides[TIMEOUT]))
    return PlayConditions(referee, {path: value for path, value in overrides.items() if path != TIMEOUT})


def referee_conditions(settings: TunerSettings) -> MatchConditions:
    """How the settings have games played."""
    return MatchConditions(
        width=settings.width,
        height=settings.height,
        ruleset=settings.ruleset,
        map_id=settings.map,
        timeout_ms=settings.timeout_ms,
        max_turns=settings.max_turns,
    )


def participant(where: str) -> Participant:
    """The snake at a URL, in a folder, or ours with the weights of a file.

    Raises:
        SnakeError: neither.
    """
    if where.startswith(("http://", "https://")):
        return Participant(SourceKind.URL, where)
    path = Path(where)
    if path.is_file():
        return Participant(SourceKind.WEIGHTS, weights.read(path).text)
    if not path.is_dir():
        raise SnakeError("there is no snake folder", where=where, remedy="Give a folder, a URL, or a weights file.")
    return Participant(SourceKind.FOLDER, str(path.resolve()))


def _but_tuned(overrides: Mapping[str, WeightValue], rules: Specification) -> dict[str, WeightValue]:
    """What is tuned is not fixed for the games: thought that has a price, say."""
    return {path: value for path, value in overrides.items() if path not in rules}


def _raisable(probe: Mapping[str, WeightValue], deployed: Mapping[str, WeightValue]) -> dict[str, WeightValue]:
    """What the numbers that are smaller in the search's games than in the gate's are in those."""
    return {
        path: deployed[path]
        for path, value in probe.items()
        if path != TIMEOUT and type(value) in (int, float) and type(deployed[path]) in (int, float)
        if 0 < float(value) < float(deployed[path])
    }


def _require_known(overrides: Mapping[str, WeightValue], champion: WeightFile, name: str) -> None:
    timeout_ms = overrides.get(TIMEOUT, 1)
    if not isinstance(timeout_ms, int) or timeout_ms < 1:
        raise SnakeError(f"{name} sets {TIMEOUT} to {timeout_ms!r}", remedy="Give whole milliseconds, 1 or more.")
    for path in overrides:
        if path not in champion.weights and path != TIMEOUT:
            raise SnakeError(
                f"{name} names {path!r}, which is no weight", where=champion.where, remedy="Correct or remove it."
            )
    try:
        weights.overridden(champion, overrides)
    except SnakeError as error:
        raise SnakeError(f"{name}: {error.what}", where=error.where, remedy="Give it a value of that kind.") from error
