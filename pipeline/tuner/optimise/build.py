"""Which optimiser a name means: those that ship, or a user's own class by its dotted name."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipeline.tuner.optimise import Optimiser, SearchSpace
from pipeline.tuner.optimise.auto import Auto
from pipeline.tuner.optimise.front import FrontSearch
from pipeline.tuner.optimise.optuna_search import CmaEs, GaussianProcess, Nsga2, Tpe
from pipeline.tuner.optimise.racing import Raced
from pipeline.tuner.optimise.random_search import MomentumSearch, RandomSearch
from schemas.errors import SettingsError


@dataclass(frozen=True)
class Strategy:
    """A way to make an optimiser, and to bring one back."""

    build: Callable[[SearchSpace], Optimiser]
    restore: Callable[[bytes], Optimiser]


SHIPPED: dict[str, Strategy] = {
    "spsa": Strategy(Raced, Raced.restore),
    "cma_es": Strategy(CmaEs, CmaEs.restore),
    "tpe": Strategy(Tpe, Tpe.restore),
    "gp": Strategy(GaussianProcess, GaussianProcess.restore),
    "nsga2": Strategy(Nsga2, Nsga2.restore),
    "auto": Strategy(Auto, Auto.restore),
    "front": Strategy(FrontSearch, FrontSearch.restore),
    "momentum": Strategy(MomentumSearch, MomentumSearch.restore),
    "random": Strategy(RandomSearch, RandomSearch.restore),
}
ASKING = frozenset(SHIPPED) - {"front", "momentum", "random"}
"""Those that offer a candidate because games pointed to it."""
_MEMBERS = ("ask", "tell", "candidate", "judged", "state", "restore")


def strategy(name: str) -> Strategy:
    """The optimiser called so: one of `SHIPPED`, or `package.module.Class` (also `package.module:Class`).

    Raises:
        SettingsError: there is none, or the class lacks what an optimiser needs; says what.
    """
    if name in SHIPPED:
        return SHIPPED[name]
    module, _, found = name.replace(":", ".").rpartition(".")
    if not module:
        raise SettingsError(
            f"there is no search called {name!r}",
            where="tuner.search",
            remedy=f"Use one of {', '.join(sorted(SHIPPED))}, or the dotted name of a class of your own.",
        )
    return _own(name, module, found)


def _own(name: str, module: str, found: str) -> Strategy:
    try:
        own: Any = getattr(importlib.import_module(module), found)
    except Exception as error:
        raise SettingsError(
            f"the search {name!r} cannot be imported: {type(error).__name__}: {error}",
            where="tuner.search",
            remedy="The folder of its module must be on PYTHONPATH.",
        ) from error
    missing = [member for member in _MEMBERS if not callable(getattr(own, member, None))]
    if not isinstance(own, type) or missing:
        raise SettingsError(
            f"{name!r} is no search: it has no {', '.join(missing) or 'class'}",
            where="tuner.search",
            remedy="pipeline.tuner.optimise.Optimiser says what one needs.",
        )
    return Strategy(own, own.restore)  # type: ignore[attr-defined]
