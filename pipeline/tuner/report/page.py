"""The report as one HTML file that needs nothing beside it: no script, no fetched style, all names escaped."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.tuner.report.content import GateRecord, Report
from pipeline.tuner.report.plots import Plot, PlotLine, PlotMark, draw
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
