"""Training of networks: curves of each phase, the champions' lineage, who beat whom, the checks of production."""

from collections.abc import Sequence
from pathlib import Path

from litestar import get
from litestar.response import Template
from markupsafe import Markup

from runner.web.pages.charts import Chart, Line, draw, legend
from runner.web.pages.page import AnyRequest, clockwork, page
from runner.web.read import models, pipeline_run
from runner.web.read.curves import Curve, read_curves
from runner.web.read.models import ChampionStep, Evaluation, Model
from runner.web.site import Site
from schemas.errors import StateError
from schemas.exported_model import ProductionCard

MODELS_SHOWN, STEPS_SHOWN, MEASURED_READ, CROSS_SHOWN = 200, 60, 2_000, 12
_GROUPS = (
    ("Losses", "loss", lambda tag: "loss" in tag),
    ("Learning rate", "rate", lambda tag: tag.endswith("learning_rate")),
    ("Positions per second", "positions a second", lambda tag: tag.endswith("positions_per_s")),
    ("Accuracy", "share", lambda tag: "accuracy" in tag),
)
"""Title, the axis' name, and which curves belong there; the rest are listed by their last value."""
_LOOKS = ("c1", "c2", "c3", "c4")


@get("/training", sync_to_thread=True)
def training(request: AnyRequest, site: Site) -> Template:
    """The pipeline's run and the registered networks."""
    clock, folder = clockwork(request, site), site.settings.pipeline_dir
    known = {path.name: path for path in pipeline_run.runs_with_curves(folder)}
    chosen = known.get(str(request.query_params.get("run", ""))) or next(iter(known.values()), None)
    phases = pipeline_run.phases_with_curves(chosen) if chosen else []
    phase = str(request.query_params.get("phase", ""))
    phase = phase if phase in phases else (phases[-1] if phases else "")
    curves = read_curves(chosen / phase / "curves") if chosen and phase else {}
    registered, steps, measured = _models(site)
    return page(
        request, site, "training.html", "Training", "/training", clock=clock, run=pipeline_run.read_run(folder),
        known=list(known), chosen=chosen.name if chosen else "", phases=phases, phase=phase, charts=_charts(curves),
        others=_others(curves), models=registered, steps=steps, lineage=lineage(registered),
        cross=cross_table(measured), production=_production(site.settings.models_dir),
        card=_card(site.settings.models_dir), limits=site.settings.tournament,
    )  # fmt: skip


def _models(site: Site) -> tuple[list[Model], list[ChampionStep], list[Evaluation]]:
    try:
        with site.history.snapshot() as rows:
            measured = models.evaluations_of(rows, "", MEASURED_READ)
            return models.models(rows, MODELS_SHOWN), models.steps(rows, STEPS_SHOWN), measured
    except StateError:
        return [], [], []


def _charts(curves: dict[str, Curve]) -> list[tuple[str, Markup, Markup]]:
    found = []
    for title, axis, belongs in _GROUPS:
        own = [tag for tag in sorted(curves) if belongs(tag)]
        if own:
            lines = [Line(tag, _points(curves[tag]), _LOOKS[place % 4]) for place, tag in enumerate(own[:8])]
            chart = Chart(title=title, x_name="update", y_name=axis, lines=lines, words=_last_words(lines))
            found.append((title, draw(chart), legend(lines)))
    return found


def _points(curve: Curve) -> list[tuple[float, float]]:
    return [(float(step), value) for step, value in sorted(curve.items()) if value == value]  # noqa: PLR0124 - no NaN


def _last_words(lines: Sequence[Line]) -> list[str]:
    return [f"{line.name} stands at {line.points[-1][1]:.4g}." for line in lines if line.points]


def _others(curves: dict[str, Curve]) -> list[tuple[str, int, float]]:
    """Curves that no chart shows, by their last value."""
    rest = [tag for tag in sorted(curves) if curves[tag] and not any(belongs(tag) for _, _, belongs in _GROUPS)]
    return [(tag, max(curves[tag]), curves[tag][max(curves[tag])]) for tag in rest]


def lineage(registered: Sequence[Model]) -> list[tuple[int, Model]]:
    """Each network under the one that its training started from, with its depth; roots newest first."""
    known = {model.id for model in registered}
    children: dict[str | None, list[Model]] = {}
    for model in registered:
        children.setdefault(model.parent_id if model.parent_id in known else None, []).append(model)
    found: list[tuple[int, Model]] = []
    waiting = [(0, model) for model in reversed(children.get(None, []))]
    while waiting:
        depth, model = waiting.pop()
        found.append((depth, model))
        waiting += [(depth + 1, child) for child in children.get(model.id, [])]
    return found


def cross_table(measured: Sequence[Evaluation]) -> tuple[list[str], list[tuple[str, list[Evaluation | None]]]]:
    """Opponents, and of each network its newest duels against each of them."""
    duels = [each for each in measured if each.snakes == 2]
    opponents = list(dict.fromkeys(each.opponent for each in duels))[:CROSS_SHOWN]
    newest: dict[tuple[str, str], Evaluation] = {}
    for each in duels:
        newest.setdefault((each.model_id, each.opponent), each)
    people = list(dict.fromkeys(each.model_id for each in duels))[:CROSS_SHOWN]
    return opponents, [(who, [newest.get((who, other)) for other in opponents]) for who in people]


def _card(folder: Path) -> ProductionCard | None:
    """What was proved of the champion in production; None: there is no card, or it cannot be read."""
    try:
        with (folder / "production" / "model_card.json").open("rb") as handle:
            return ProductionCard.model_validate_json(handle.read(4_000_000))
    except (OSError, ValueError):
        return None


def _production(folder: Path) -> list[tuple[str, int, float]]:
    """What stands in production: name, size, when it was put there."""
    try:
        entries = sorted(entry for entry in (folder / "production").iterdir() if entry.is_file())
        return [(entry.name, entry.stat().st_size, entry.stat().st_mtime) for entry in entries]
    except OSError:
        return []
