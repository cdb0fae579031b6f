"""The report as one HTML file that needs nothing beside it: no script, no fetched style, all names escaped.

Its plots are SVG text in the page, coloured by the page's style.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.tuner.report.content import GateRecord, Report
from schemas.files import write_atomic

FILE_NAME = "index.html"
SHOWN_TESTS = 12
"""Of the latest tests so many are drawn; the table holds all."""
_PAGES = Environment(
    loader=PackageLoader("pipeline.tuner.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
WIDTH, HEIGHT = 420, 220
LEFT, RIGHT, TOP, BOTTOM = 50, 14, 14, 40
_TICKS = 5


@dataclass(frozen=True)
class PlotMark:
    """A point that is named."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class PlotLine:
    """A curve; `kind` is its class in the page's style."""

    points: Sequence[tuple[float, float]]
    kind: str = "line"
    stepped: bool = False


@dataclass(frozen=True)
class Plot:
    """What is drawn."""

    title: str
    x_name: str
    y_name: str
    lines: Sequence[PlotLine]
    intervals: Sequence[tuple[float, float, float]] = ()
    """x, low, high."""
    marks: Sequence[PlotMark] = ()
    levels: Sequence[tuple[float, str]] = ()
    """Horizontal lines with a name each."""
    from_zero: bool = True
    """Whether both axes show 0."""


def draw(plot: Plot) -> str:
    """The plot as an `<svg>` element; every name in it is escaped. Points that are not finite are left out."""
    points = [point for line in plot.lines for point in line.points]
    points += [(x, edge) for x, low, high in plot.intervals for edge in (low, high)]
    points += [(mark.x, mark.y) for mark in plot.marks]
    points = [point for point in points if isfinite(point[0]) and isfinite(point[1])]
    if not points:
        return f'<p class="empty">{escape(plot.title)}: nothing to draw yet.</p>'
    zero = [0.0] if plot.from_zero else []
    xs = _Axis.over([*zero, *(x for x, _ in points)], LEFT, WIDTH - RIGHT)
    ys = _Axis.over([*zero, *(y for _, y in points), *(level for level, _ in plot.levels)], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(plot.title)}"><title>'
        f"{escape(plot.title)}</title>",
        *_grid(plot, xs, ys),
        *(_whisker(interval, xs, ys) for interval in plot.intervals),
        *(_level(level, name, ys) for level, name in plot.levels),
        *(_path(line, xs, ys) for line in plot.lines),
        *(_mark(mark, xs, ys) for mark in plot.marks),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "_Axis":
        low, high = min(values), max(values)
        step = _round_step((high - low) or 1.0)
        return cls(floor(low / step) * step, ceil(high / step + 1e-9) * step, start, end)

    @property
    def ticks(self) -> list[float]:
        step = _round_step(self.high - self.low)
        return [self.low + number * step for number in range(round((self.high - self.low) / step) + 1)]

    def at(self, value: float) -> float:
        """Place in the drawing."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _round_step(span: float) -> float:
    rough = span / _TICKS
    power = float(10 ** floor(log10(rough)))
    return next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * 0.999)


def _grid(plot: Plot, xs: _Axis, ys: _Axis) -> list[str]:
    parts = []
    for value in ys.ticks:
        y = ys.at(value)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.4g}</text>')
    for value in xs.ticks:
        parts.append(
            f'<text class="tick" x="{xs.at(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
            f"{_short(value)}</text>"
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text class="name" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(plot.x_name)}</text>"
    )
    parts.append(
        f'<text class="name" transform="translate(12 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(plot.y_name)}</text>"
    )
    return parts


def _short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _whisker(interval: tuple[float, float, float], xs: _Axis, ys: _Axis) -> str:
    x, low, high = interval
    return f'<path class="whisker" d="M{xs.at(x):.1f} {ys.at(low):.1f}V{ys.at(high):.1f}"/>'


def _path(line: PlotLine, xs: _Axis, ys: _Axis) -> str:
    drawn = [(xs.at(x), ys.at(y)) for x, y in line.points if isfinite(x) and isfinite(y)]
    if not drawn:
        return ""
    path = f"M{drawn[0][0]:.1f} {drawn[0][1]:.1f}"
    for x, y in drawn[1:]:
        path += f"H{x:.1f}V{y:.1f}" if line.stepped else f"L{x:.1f} {y:.1f}"
    return f'<path class="{escape(line.kind)}" d="{path}"/>'


def _level(level: float, name: str, ys: _Axis) -> str:
    y = ys.at(level)
    return (
        f'<path class="level" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="tick" x="{LEFT + 4}" y="{y - 4:.1f}">{escape(name)}</text>'
    )


def _mark(mark: PlotMark, xs: _Axis, ys: _Axis) -> str:
    return (
        f'<circle class="mark" cx="{xs.at(mark.x):.1f}" cy="{ys.at(mark.y):.1f}" r="4.5">'
        f"<title>{escape(mark.text)}</title></circle>"
    )


def write_report(report: Report, folder: Path) -> Path:
    """Write `index.html` into the folder, which is made, and return its path.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    write_atomic(path, html_report(report))
    return path


def html_report(report: Report) -> str:
    """The page's text."""
    return _PAGES.get_template(
        "report.html"
    ).render(
        report=report,
        elo_plot=Markup(draw(elo_plot(report))),  # noqa: S704 - `draw` escapes every name
        ratio_plots=[Markup(draw(ratio_plot(record))) for record in report.gates[-SHOWN_TESTS:]],  # noqa: S704
        shown_tests=SHOWN_TESTS,
        changed=[row for row in report.weights if row.changed],
        unchanged=[row for row in report.weights if not row.changed],
        front_plot=Markup(draw(front_plot(report))) if len(report.aims) > 1 else "",  # noqa: S704
    )


def elo_plot(report: Report) -> Plot:
    """Elo of the champion over the games of the run, with its interval, and a mark at each promotion."""
    curve = [(point.games, point.elo) for point in report.elo]
    if curve and curve[-1][0] < report.games_in_all:
        curve.append((report.games_in_all, curve[-1][1]))
    marks = [
        PlotMark(point.games, point.elo, f"promoted after {point.games:,} games: {point.elo:+.0f} Elo")
        for point in report.elo
        if point.games > 0
    ]
    return Plot(
        title="Elo of the champion over the weights before",
        x_name="games of the run",
        y_name="Elo",
        lines=[PlotLine(curve, "line", stepped=True)],
        intervals=[(point.games, point.low, point.high) for point in report.elo],
        marks=marks,
    )


def front_plot(report: Report) -> Plot:
    """The front over its first two objectives, with the intervals of the second."""
    across, up = report.aims[:2]
    points = sorted((point.values[across.name], point.values[up.name], point) for point in report.front)
    return Plot(
        title="What there is to choose from",
        x_name=across.name,
        y_name=up.name,
        lines=[PlotLine([(x, y) for x, y, _ in points])],
        intervals=[
            (x, y - 1.96 * point.errors.get(up.name, 0.0), y + 1.96 * point.errors.get(up.name, 0.0))
            for x, y, point in points
        ],
        marks=[PlotMark(x, y, point.name) for x, y, point in points],
        from_zero=False,
    )


def ratio_plot(record: GateRecord) -> Plot:
    """The log-likelihood ratio of one test between its bounds."""
    decision = record.decision
    verdict = record.verdict.value.replace("_", " ") if record.verdict else "under way"
    return Plot(
        title=f"Test {decision.number}: {verdict}",
        x_name="seeds",
        y_name="log-likelihood ratio",
        lines=[PlotLine([(0.0, 0.0), *decision.path])],
        levels=[(decision.upper, "better"), (decision.lower, "not better")],
    )
