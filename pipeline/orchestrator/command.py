"""`ouroboros train`: the self-play pipeline from the command line."""

import sys
import time
from importlib.util import find_spec
from typing import Any

import click
from pydantic import ValidationError

from schemas.errors import BadInputError, SettingsError
from schemas.model import PipelineState
from schemas.network import light_network
from schemas.settings import describe, get_config
from schemas.training import Device, TrainingConfiguration

STOPPED_EXIT = 130
_LINE_EVERY_S = 10.0


@click.command("train", context_settings={"show_default": True})
@click.option("--device", type=click.Choice([device.value for device in Device]), default="auto")
@click.option("--hours", type=float, help="Time of the whole run, all its parts together.  [default: 12]")
@click.option("--phase", "phases", multiple=True, help="Phase to do; may be repeated.  [default: all four]")
@click.option("--light", is_flag=True, help="Build the light network, as a CPU does where none is configured.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of a new run.  [default: drawn, and kept]")
@click.option("--force-retrain", is_flag=True, help="Begin from nothing, whatever the champion has behind it.")
@click.option("--resume", is_flag=True, help="Go on with the unfinished run, whatever was asked of it.")
@click.option("--export/--no-export", default=True, help="Export a new champion as ONNX.")
def train(
    *, device: str, hours: float | None, phases: tuple[str, ...], light: bool, seed: int | None,
    force_retrain: bool, resume: bool, export: bool,
) -> None:  # fmt: skip
    """Train a network by games: imitate the heuristic, then play. An interrupted run goes on at the next call.

    Exit code 130: stopped before the end, everything is saved. 1: it failed, or ended without having learned anything.

    Example: ouroboros train --hours 12
    """
    if find_spec("torch") is None:
        raise BadInputError(
            "torch is not installed", where="ouroboros train", remedy="Install it: pip install 'ouroboros[train]'."
        )
    # Only now: the list of all commands must not load torch.
    from pipeline.orchestrator.pipeline import SelfPlayTrainingPipeline

    settings = get_config()
    if light:
        settings = settings.model_copy(update={"neural_network": light_network()})
    asked: dict[str, Any] = {"device": device, "force_retrain": force_retrain, "export_onnx": export}
    asked |= {"max_training_time_hours": hours} if hours is not None else {}
    asked |= {"target_phases": list(phases)} if phases else {}
    pipeline = SelfPlayTrainingPipeline(settings, seed=seed, report=_Lines().show, echo=_say)
    done = pipeline.resume_training() if resume else pipeline.run_complete_pipeline(_checked(asked))
    if not done:
        sys.exit(STOPPED_EXIT)


def _checked(asked: dict[str, Any]) -> TrainingConfiguration:
    try:
        return TrainingConfiguration.model_validate(asked)
    except ValidationError as error:
        raise SettingsError(describe(error), where="the command line") from error


class _Lines:
    """Prints the state every few seconds."""

    def __init__(self) -> None:
        self._shown_at = time.monotonic()
        self._line = ""

    def show(self, state: PipelineState) -> None:
        """Print a line, if the last one is old enough and said something else."""
        if time.monotonic() - self._shown_at < _LINE_EVERY_S:
            return
        self._shown_at = time.monotonic()
        games = f"{state.best_win_rate_games:,}"
        best = (
            f"best win rate {state.best_win_rate:.1%} / {games} games"
            if state.best_win_rate_games
            else "not judged yet"
        )
        phase = state.current_phase or state.status.value
        line = f"{phase} | {state.progress_percentage:.1f} % | {best} | {state.operation_details}"
        if line != self._line:
            _say(line)
        self._line = line


def _say(message: str) -> None:
    click.echo(message)
    sys.stdout.flush()
