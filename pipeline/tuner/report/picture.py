"""A run's picture for the mail: Elo of the champion over the run's games, with every test of the gate marked."""

from io import BytesIO
from typing import TYPE_CHECKING

from pipeline.tuner.gate import GateVerdict
from pipeline.tuner.report.content import GateRecord, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_PX, HEIGHT_PX = 640, 320
_GREEN, _PALE, _GREY = "#1f6f43", "#9cc7ae", "#999999"


def png(report: Report) -> bytes | None:
    """A PNG of 640 x 320 pixels; None: no candidate was judged, or there is no scale (games against opponents)."""
    if not report.gates or (report.promotions and len(report.elo) < 2):
        return None
    image = BytesIO()
    figure(report).savefig(image, format="png")
    return image.getvalue()


def figure(report: Report) -> "Figure":
    """The drawing. Imports matplotlib: half a second and 60 MB, in the process of a run that has ended."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(WIDTH_PX / 100, HEIGHT_PX / 100), dpi=100, layout="constrained")
    axes = drawn.subplots()
    games = [point.games for point in report.elo] + [max(report.games_in_all, report.elo[-1].games)]
    elo = [point.elo for point in report.elo]
    axes.step(games, [*elo, elo[-1]], where="post", color=_GREEN, linewidth=1.8)
    promoted = report.elo[1:]
    if promoted:
        errors = [[p.elo - p.low for p in promoted], [p.high - p.elo for p in promoted]]
        axes.errorbar(
            [p.games for p in promoted], [p.elo for p in promoted], yerr=errors, fmt="o", color=_GREEN, ecolor=_PALE,
            markerfacecolor="white", capsize=2, label="promoted, with its 95 % interval",
        )  # fmt: skip
    turned_down = [(each.games_before, _elo_at(report, each.games_before)) for each in report.gates if _failed(each)]
    if turned_down:
        axes.plot(*zip(*turned_down, strict=True), "x", color=_GREY, markersize=6, label="not promoted")
    axes.axhline(0, color=_GREY, linewidth=0.8, linestyle=":")
    axes.set_xlabel("games of the run")
    axes.set_ylabel("Elo over the weights before")
    axes.set_title(f"{report.search}, {report.objective}: {len(promoted)} of {len(report.gates)} tests promoted")
    axes.title.set_fontsize(10)
    axes.set_xlim(left=0)
    axes.margins(y=0.12)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, loc="best", frameon=False)
    return drawn


def _failed(record: GateRecord) -> bool:
    return record.verdict not in (GateVerdict.PROMOTED, None)


def _elo_at(report: Report, games: int) -> float:
    return [point.elo for point in report.elo if point.games <= games][-1]
