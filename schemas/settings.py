"""The settings tree: the only reader of the settings file and of the environment.

`get_config()` reads once at the edge; everything below is handed what it needs. A settings file is JSON or TOML;
`OUROBOROS_CONFIG` names it, or `TRAINING_CONFIG` one of those that come with the program; else `settings.json` in the
state folder is read if it is there.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from schemas.automation import NAME_PATTERN
from schemas.base import Frozen
from schemas.bounds import out_of_bounds
from schemas.cluster import ClusterSettings
from schemas.database import DATABASE_NAME, sqlite_url
from schemas.errors import SettingsError
from schemas.files import write_atomic
from schemas.ladder import ArenaSettings
from schemas.machine import GuardSettings
from schemas.network import NeuralNetworkConfig
from schemas.notification import NotificationSettings
from schemas.outside_text import REASON_LIMIT, line, read_json
from schemas.phases import TrainingPhaseConfig, default_phases
from schemas.self_play import SelfPlaySettings
from schemas.service import LoggingSettings, SchedulerSettings, StorageSettings, WebSettings, WorkerSettings
from schemas.training import DataSettings, TournamentConfig, TrainingOptimizationConfig
from schemas.tuning import TunerSettings

HOME_VARIABLE = "OUROBOROS_HOME"
CONFIG_VARIABLE = "OUROBOROS_CONFIG"
PRESET_VARIABLE = "TRAINING_CONFIG"
"""The operations guide's name for which settings a container trains under."""
_ROOT = Path(__file__).resolve().parents[1]
PRESETS = {
    "production": "gpu-training.json",
    "gpu-training": "gpu-training.json",
    "cpu-training": "cpu-training.json",
}
"""Settings that come with the program, by what `TRAINING_CONFIG` calls them."""
_MOST_BYTES = 4_000_000
_CORRECT = "Correct or remove these fields."


class Settings(Frozen):
    """Everything that can be set. `home` is the state folder; all paths of `interface` lie below it."""

    home: Path = Path("automation")
    """The state folder: all that is kept lies in it. OUROBOROS_HOME goes before it."""
    scheduler: SchedulerSettings = Field(default_factory=SchedulerSettings)
    guards: GuardSettings = Field(default_factory=GuardSettings)
    workers: WorkerSettings = Field(default_factory=WorkerSettings)
    notifications: NotificationSettings = Field(default_factory=NotificationSettings)
    logging: LoggingSettings = Field(default_factory=LoggingSettings)
    storage: StorageSettings = Field(default_factory=StorageSettings)
    web: WebSettings = Field(default_factory=WebSettings)
    tuner: TunerSettings = Field(default_factory=TunerSettings)
    neural_network: NeuralNetworkConfig = Field(default_factory=NeuralNetworkConfig)
    training_phases: dict[str, TrainingPhaseConfig] = Field(default_factory=default_phases)
    """By name; a custom phase is one more entry, and `TrainingConfiguration.target_phases` names it."""
    training_optimization: TrainingOptimizationConfig = Field(default_factory=TrainingOptimizationConfig)
    self_play: SelfPlaySettings = Field(default_factory=SelfPlaySettings)
    data: DataSettings = Field(default_factory=DataSettings)
    tournament: TournamentConfig = Field(default_factory=TournamentConfig)
    arena: ArenaSettings = Field(default_factory=ArenaSettings)
    cluster: ClusterSettings = Field(default_factory=ClusterSettings)

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the history."""
        return self.storage.database_url or sqlite_url(self.home.absolute() / DATABASE_NAME)

    @property
    def games_dir(self) -> Path:
        """Where production games arrive as JSON lines."""
        return self.home / "data" / "games"

    @property
    def replays_dir(self) -> Path:
        """Where `ouroboros play --replay-dir` may keep games that the dashboard then shows."""
        return self.home / "data" / "replays"

    @property
    def triggers_dir(self) -> Path:
        """Where trigger files (JSON) are put."""
        return self.home / "triggers"

    @property
    def runs_dir(self) -> Path:
        """Parent of the run folders."""
        return self.home / "runs"

    @property
    def logs_dir(self) -> Path:
        """The daemon's logs."""
        return self.home / "logs"

    @property
    def tuner_dir(self) -> Path:
        """Checkpoint, log and console files of the Go-weight tuner."""
        return self.home / "nn_training_results"

    @property
    def training_games_dir(self) -> Path:
        """The store of games to learn from (Parquet)."""
        return self.home / "data" / "training"

    @property
    def models_dir(self) -> Path:
        """Weights of registered models."""
        return self.home / "models"

    @property
    def pipeline_dir(self) -> Path:
        """Checkpoints, state and TensorBoard logs of the self-play pipeline."""
        return self.home / "self_play"

    @property
    def leaf_eval_dir(self) -> Path:
        """The learned leaf evaluation, and the self-play games that it is fitted to."""
        return self.home / "leaf_eval"

    @property
    def arena_dir(self) -> Path:
        """Of the public Arena: the token, the lock of its synchronisation, answers that may be asked for again."""
        return self.home / "arena"

    @property
    def written_dirs(self) -> list[Path]:
        """Every folder that the daemon and its workers fill; each may be a link to another file system."""
        data = [self.games_dir, self.triggers_dir, self.runs_dir, self.logs_dir, self.training_games_dir]
        snake = self.tuner.snake_dir or self.home / "go-snake"
        return [self.home, *data, self.tuner_dir, self.models_dir, self.pipeline_dir, snake]

    def located(self) -> "Settings":
        """The same with an absolute state folder, for a process that may stand elsewhere."""
        return self.model_copy(update={"home": self.home.absolute()})

    def save_to_file(self, path: str | Path) -> None:
        """Write the whole tree as JSON that `load` reads back to an equal tree.

        Raises:
            SettingsError: the file cannot be written.
        """
        try:
            write_atomic(Path(path).absolute(), self.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise SettingsError(f"cannot write the settings: {error}", where=str(path)) from error


def load(path: Path) -> Settings:
    """Read a settings file (JSON, or TOML by its suffix).

    Raises:
        SettingsError: unreadable, malformed, or a field unknown or out of range; names file, line or field.
    """
    return _validated(_parsed(path), path)


def get_config() -> Settings:
    """The settings this process runs under: defaults, the settings file, then `OUROBOROS_HOME`.

    Raises:
        SettingsError: as `load`; or `TRAINING_CONFIG` names no settings.
    """
    home = os.environ.get(HOME_VARIABLE)
    named = os.environ.get(CONFIG_VARIABLE) or _preset(os.environ.get(PRESET_VARIABLE))
    path = Path(named) if named else Path(home or "automation") / "settings.json"
    tree = _parsed(path) if named or path.exists() else {}
    if home:
        tree["home"] = home
    return _validated(tree, path)


def _preset(name: str | None) -> str | None:
    """The file of the settings that come with the program under this name."""
    if not name:
        return None
    if name not in PRESETS:
        raise SettingsError(
            f"no settings are called {line(name)!r}; there are {', '.join(PRESETS)}",
            where=PRESET_VARIABLE,
            remedy=f"Name one of them, or a file of your own in {CONFIG_VARIABLE}.",
        )
    places = (_ROOT / "deploy", _ROOT / "pipeline" / "deploy")  # a checkout; where a wheel was installed
    return str(next((folder for folder in places if folder.is_dir()), places[0]) / PRESETS[name])


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as handle:
            data = handle.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise SettingsError(f"the settings are larger than {_MOST_BYTES:,} bytes", where=str(path))
        tree = _from_toml(data) if path.suffix == ".toml" else read_json(data)
    except OSError as error:
        raise SettingsError(
            f"cannot read the settings: {error.strerror}", where=str(path), remedy=f"Check {CONFIG_VARIABLE}."
        ) from error
    except RecursionError as error:
        raise SettingsError("malformed settings: nested too deep", where=str(path)) from error
    except ValueError as error:  # not UTF-8, no TOML, no JSON
        raise SettingsError(f"malformed settings: {line(str(error))}", where=str(path)) from error
    if not isinstance(tree, dict):
        raise SettingsError("the settings are no JSON object", where=str(path))
    return tree


def _from_toml(data: bytes) -> dict[str, Any]:
    import tomllib  # few settings are written so, and the daemon keeps what it loads for weeks

    return tomllib.loads(data.decode("utf-8-sig"))


def _validated(tree: dict[str, Any], path: Path) -> Settings:
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        raise SettingsError(describe(error), where=str(path), remedy=_CORRECT) from error
    wrong = "; ".join(out_of_bounds(settings))
    if wrong:
        raise SettingsError(line(wrong, REASON_LIMIT), where=str(path), remedy=_CORRECT)
    return _with_a_home_for_all_to_read(settings)


def _with_a_home_for_all_to_read(settings: Settings) -> Settings:
    """The state folder's path stands in rows, mails and requests: all of them are UTF-8."""
    place = str(settings.home.absolute())
    if line(place, 0) != place:
        raise SettingsError(
            "the path of the state folder is not UTF-8, or holds control characters",
            where=line(place),
            remedy=f"Rename the folder, work in another, or set {HOME_VARIABLE}.",
        )
    return settings


def describe(error: ValidationError) -> str:
    """All of a validation error's complaints on one line, each with its field's path."""
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'value'}: {_complaint(item)}" for item in error.errors())


def _complaint(item: ErrorDetails) -> str:
    """pydantic's words, or better ones."""
    if item["type"] == "string_pattern_mismatch" and item["ctx"].get("pattern") == NAME_PATTERN:
        return "a name has up to 100 letters (A to z), digits, `_`, `-` and `.`, and begins with a letter or digit"
    return item["msg"]
