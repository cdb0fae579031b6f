"""`ModelRegistry`: the operations guide's door to the model store, for networks instead of arrays."""

import math
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import ValidationError
from torch import nn

from pipeline.engine.planes import ENCODER_ID
from pipeline.evolution.networks import Network, build_network
from pipeline.registry.model_store import ModelStore
from schemas.base import Frozen
from schemas.errors import ModelError
from schemas.model import ByHand, Measured, ModelCard, ModelDraft, ModelStatus
from schemas.settings import Settings, describe, get_config

_GIT_LIMIT_S = 10


def arrays_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Copies of all arrays of a network's state, as in `state_dict`, of their own shapes and types, on the CPU."""
    return {name: np.array(tensor.detach().cpu().numpy()) for name, tensor in network.state_dict().items()}


def network_of(card: ModelCard, weights: Mapping[str, NDArray[Any]]) -> Network:
    """The network of a registered model, on the CPU, ready to play (`eval`).

    Raises:
        ModelError: the weights do not fit the card's network.
    """
    network = build_network(card.network, card.frame)
    try:
        network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    except RuntimeError as error:
        first = str(error).splitlines()[1:2] or [str(error)]
        raise ModelError(
            f"the weights do not fit the network of the card: {first[0].strip()}",
            where=card.weights_file,
            remedy="They were made by another version of the code: train the model anew, or use that version.",
        ) from error
    return network.eval()


class ModelRegistry:
    """Registered models as networks; `model_store` knows everything else of them.

    Args:
        settings: None: `get_config()`.
        now: the clock.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(
        self, settings: Settings | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.model_store = ModelStore(settings or get_config())
        self._now = now

    def register_model(self, model: nn.Module, model_info: Mapping[str, Any]) -> str:
        """Keep a network as a candidate and return its id; the same network under the same name keeps its id.

        Args:
            model: a network of `build_network`.
            model_info: `name`; `architecture` (checked against the network) and `training_phase`;
                `performance_metrics` by name: a `Measured` is kept as what it is, a bare number as a claim that
                nothing stands behind and nothing is decided by; any other field of `schemas.model.ModelDraft`.

        Raises:
            ModelError: no network of ours, weights that are not finite, or a field that is wrong.
        """
        if not isinstance(model, Network):
            raise ModelError(
                f"a {type(model).__name__} has no configuration to build it from again",
                where="register_model",
                remedy="Register a network of pipeline.evolution.networks.build_network (unwrapped: `ddp.module`).",
            )
        draft = self._draft(model, dict(model_info))
        return self.model_store.put(draft, arrays_of(model)).id

    def get_model(self, model_id: str) -> tuple[Network, dict[str, Any]]:
        """A network, on the CPU and ready to play, and what is known of it, as in `list_models`.

        Raises:
            ModelError: no such model, its file is damaged, or it was made for another encoder.
        """
        card, weights = self.model_store.get(model_id)
        return network_of(card, weights), info_of(card)

    def list_models(self, status: ModelStatus | None = None) -> list[dict[str, Any]]:
        """All models, oldest first: the fields of `ModelCard` and `performance_metrics`.

        `performance_metrics` holds measured values only. `win_rate`, in duels with the strong heuristic, is always
        there: NaN for a model that was never measured. Claimed numbers stand in `claimed`; intervals and games behind
        the measured ones in `measured`.
        """
        return [info_of(card) for card in self.model_store.list(status=status)]

    def promote(self, model_id: str, evidence: Frozen | None = None) -> None:
        """Make a model the champion.

        Raises:
            ModelError: as `ModelStore.promote`.
        """
        self.model_store.promote(model_id, evidence or ByHand(asked_by="ModelRegistry"), self._now())

    def roll_back(self, evidence: Frozen | None = None) -> str:
        """Make the champion before the present one champion again; its id.

        Raises:
            ModelError: there is none.
        """
        return self.model_store.roll_back(self._now(), evidence or ByHand(asked_by="ModelRegistry")).id

    def retire(self, model_id: str, evidence: Frozen | None = None) -> None:
        """Take a model out of service.

        Raises:
            ModelError: no such model, or it is the champion.
        """
        self.model_store.retire(model_id, self._now(), evidence or ByHand(asked_by="ModelRegistry"))

    def lineage(self, model_id: str) -> Sequence[ModelCard]:
        """The model, its parent, and so on to the first.

        Raises:
            ModelError: no such model.
        """
        return self.model_store.lineage(model_id)

    def _draft(self, network: Network, told: dict[str, Any]) -> ModelDraft:
        metrics = told.pop("performance_metrics", {})
        architecture = network.config.architecture_type.value
        if told.get("architecture", architecture) != architecture:
            raise ModelError(
                f"the network is a {architecture}, not a {told['architecture']}", where="model_info.architecture"
            )
        known = {
            "architecture": architecture,
            "training_phase": "by_hand",
            "network": network.config.model_dump(),
            "frame": network.frame,
            "encoder_id": ENCODER_ID,
            "created_at": self._now(),
            "code_revision": code_revision(),
            "measured": {name: value for name, value in metrics.items() if isinstance(value, Measured)},
            "claimed": {name: value for name, value in metrics.items() if not isinstance(value, Measured)},
        }
        try:
            return ModelDraft.model_validate(known | told)
        except ValidationError as error:
            raise ModelError(
                f"a model cannot be registered so: {describe(error)}",
                where="model_info",
                remedy="Correct or remove these fields.",
            ) from error


def info_of(card: ModelCard) -> dict[str, Any]:
    """A card as the operations guide reads it; see `ModelRegistry.list_models`."""
    metrics = {"win_rate": math.nan} | {name: measured.value for name, measured in card.measured.items()}
    return card.model_dump(mode="json") | {"performance_metrics": metrics}


@cache
def code_revision() -> str:
    """The version, and in a git checkout the commit, with `+` where tracked files differ: `0.2.0 ab12cd34ef56+`."""
    try:
        released = version("ouroboros")
    except PackageNotFoundError:
        released = "not installed"
    # Installed below somebody else's checkout (a virtual environment in it), we are not what is committed there.
    commit = _git("ls-files", __file__) and _git("rev-parse", "--short=12", "HEAD")
    if not commit:
        return released
    return f"{released} {commit}{'+' if _git('status', '--porcelain', '--untracked-files=no') else ''}"


def _git(*arguments: str) -> str:
    """What git says of the folder of this file; empty outside of a checkout, or without git."""
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_GIT_LIMIT_S)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
