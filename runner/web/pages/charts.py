"""Charts as SVG, drawn here: nothing to load, to wait for or to run in the browser, and they print and read aloud.

Measured against uPlot, the drawing library that was thought of: see `runner/web/README.md`. Colours are classes of
the style sheet, so a chart follows light and dark. Every name that comes in is escaped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from math import ceil, floor, isfinite, log10

from markupsafe import Markup, escape

WIDTH, HEIGHT = 520, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 40
MOST_POINTS = 400
"""Of a line: more than the picture has pixels. Beyond it each step keeps its lowest and highest value."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. `look` is a class of the style sheet: `c1` to `c4`, `dim`."""

    name: str
    points: Sequence[Point]
    look: str = "c1"
    stepped: bool = False
    """It keeps its value until the next point."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A point that is told apart: with its interval, its words, and what it opens."""

    x: float
    y: float
    words: str
    low: float | None = None
    high: float | None = None
    href: str = ""
    look: str = "c1"
    strong: bool = False
    """A promotion: filled."""


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line with a name."""

    y: float
    name: str


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. `x_time`: x are seconds since 1970, shown in `zone`."""

    title: str
    x_name: str
    y_name: str
    lines: Sequence[Line] = ()
    marks: Sequence[Mark] = ()
    levels: Sequence[Level] = ()
    x_time: bool = False
    zone: tzinfo = UTC
    y_percent: bool = False
    """y are shares, 0 to 1."""
    y_from_zero: bool = False
    y_least: float = 1e-3
    """Of the y axis at least so much is shown, however little the values differ."""
    words: Sequence[str] = field(default_factory=tuple)
    """What the picture shows, in sentences, for those who do not see it."""


def draw(chart: Chart) -> Markup:
    """The chart as an `<svg>`; words in its place where it has no point."""
    xs = [x for line in chart.lines for x, _ in line.points] + [mark.x for mark in chart.marks]
    ys = [y for line in chart.lines for _, y in line.points] + [level.y for level in chart.levels]
    ys += [y for mark in chart.marks for y in (mark.y, mark.low, mark.high) if y is not None]
    if not xs or not all(map(isfinite, xs + ys)):
        return Markup('<p class="empty">Nothing to draw yet.</p>')
    x_low, x_high = _span(min(xs), max(xs), 3600.0 if chart.x_time else 1e-6 * max(1.0, *map(abs, xs)))
    y_low, y_high = _span(min([*ys, 0.0] if chart.y_from_zero else ys), max(ys), chart.y_least)
    y_ticks = _ticks(y_low, y_high, 5)
    y_low, y_high = min(y_low, y_ticks[0]), max(y_high, y_ticks[-1])
    place = _Place(x_low, x_high, y_low, y_high)
    parts = [_grid(chart, place, y_ticks), *(_level(level, place) for level in chart.levels)]
    parts += [_line(line, place) for line in chart.lines]
    parts += [_mark(mark, place) for mark in chart.marks]
    about = " ".join((f"{chart.title}.", *chart.words))
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="group" aria-label="{}">{}</svg>').format(
        WIDTH, HEIGHT, about, Markup("").join(parts)
    )


def legend(lines: Sequence[Line]) -> Markup:
    """The names of the lines with their colours."""
    items = (Markup('<li><i class="key {}"></i>{}</li>').format(line.look, line.name) for line in lines)
    return Markup('<ul class="legend">{}</ul>').format(Markup("").join(items))


@dataclass(frozen=True, slots=True)
class _Place:
    """From values to the picture."""

    x_low: float
    x_high: float
    y_low: float
    y_high: float

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1)


def _span(low: float, high: float, least: float) -> tuple[float, float]:
    """Low and high, at least so far apart."""
    room = max(0.0, least - (high - low)) / 2
    return low - room, high + room


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers that cover low to high."""
    rough = (high - low) / wanted
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


_TIME_STEPS_S = (60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 28 * 86_400)


def _time_ticks(chart: Chart, low: float, high: float) -> list[tuple[float, str]]:
    """Whole minutes, hours or days of the zone's wall."""
    step = next((step for step in _TIME_STEPS_S if (high - low) / step <= 6), ceil((high - low) / 6 / 86_400) * 86_400)
    first = datetime.fromtimestamp(low, chart.zone)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    pattern = "%H:%M" if step < 12 * 3600 else "%d %b" if high - low < 300 * 86_400 else "%b %Y"
    count = ceil((first - midnight).total_seconds() / step)
    found: list[tuple[float, str]] = []
    while len(found) < 12:
        tick = midnight + timedelta(seconds=count * step)
        if tick.timestamp() > high:
            break
        is_midnight = step < 86_400 and tick.hour == 0 and tick.minute == 0
        found.append((tick.timestamp(), tick.strftime("%d %b" if is_midnight else pattern)))
        count += 1
    return found


def number(value: float, step: float = 1.0) -> str:
    """A number as short as an axis has room for, told apart from its neighbours: `1,200`, `0.25`, `3.1 M`.

    Args:
        step: from one number of the axis to the next.
    """
    if abs(value) >= 1e6 and step >= 1e4:
        return f"{value / 1e6:,.2f} M"
    if value == 0 or abs(step) >= 1e-4:
        places = max(0, -floor(log10(step) + 1e-9)) if step < 1 else 0
        return f"{value:,.{places + (1 if step in _HALVES else 0)}f}"
    return f"{value:.2g}"


_HALVES = frozenset(2.5 * 10.0**power for power in range(-4, 1))
"""Steps with one digit more than their power of ten says."""


def _numbers(ticks: Sequence[float]) -> list[tuple[float, str]]:
    return [(x, number(x, ticks[1] - ticks[0])) for x in ticks]


def _grid(chart: Chart, place: _Place, y_ticks: Sequence[float]) -> Markup:
    step = y_ticks[1] - y_ticks[0]
    show: Callable[[float], str] = lambda y: f"{100 * y:.4g} %" if chart.y_percent else number(y, step)  # noqa: E731
    rows = [
        Markup('<path class="grid" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>').format(
            LEFT, place.y(y), WIDTH - RIGHT, LEFT - 6, place.y(y) + 4, show(y)
        )
        for y in y_ticks
    ]
    low, high = place.x_low, place.x_high
    labels = _time_ticks(chart, low, high) if chart.x_time else _numbers(_ticks(low, high, 5))
    rows += [
        Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(place.x(x), HEIGHT - BOTTOM + 16, words)
        for x, words in labels
        if low <= x <= high
    ]
    rows.append(Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>').format(
        (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, chart.x_name))  # fmt: skip
    return Markup("").join(rows)


def _level(level: Level, place: _Place) -> Markup:
    y = place.y(level.y)
    return Markup('<path class="level" d="M{} {}H{}"/><text x="{}" y="{}" text-anchor="end">{}</text>').format(
        LEFT, y, WIDTH - RIGHT, WIDTH - RIGHT, y - 4, level.name
    )


def _line(line: Line, place: _Place) -> Markup:
    points = thinned(line.points)
    if not points:
        return Markup("")
    steps = [f"M{place.x(points[0][0])} {place.y(points[0][1])}"]
    for x, y in points[1:]:
        steps.append(f"H{place.x(x)}V{place.y(y)}" if line.stepped else f"L{place.x(x)} {place.y(y)}")
    if len(points) == 1:
        steps.append("h0.1")
    return Markup('<path class="line {}" d="{}"><title>{}</title></path>').format(line.look, "".join(steps), line.name)


def _mark(mark: Mark, place: _Place) -> Markup:
    x, y = place.x(mark.x), place.y(mark.y)
    bar = Markup("")
    if mark.low is not None and mark.high is not None:
        bar = Markup('<path class="whisker {}" d="M{} {}V{}"/>').format(
            mark.look, x, place.y(mark.low), place.y(mark.high)
        )
    ring = Markup('<circle class="mark {}{}" cx="{}" cy="{}" r="4.5"><title>{}</title></circle>').format(
        mark.look, " strong" if mark.strong else "", x, y, mark.words
    )
    if not mark.href:
        return bar + ring
    return bar + Markup('<a href="{}" aria-label="{}">{}</a>').format(mark.href, mark.words, ring)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most about `most` points that show the same picture: of each stretch its lowest and its highest, in order."""
    if len(points) <= most:
        return list(points)
    size = ceil(len(points) / (most / 2))
    kept: list[Point] = []
    for start in range(0, len(points), size):
        stretch = points[start : start + size]
        ends = {
            min(range(len(stretch)), key=lambda n: stretch[n][1]),
            max(range(len(stretch)), key=lambda n: stretch[n][1]),
        }
        kept += [stretch[place] for place in sorted(ends)]
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept


def gauge(value: float, limit: float, top: float, *, limit_is_least: bool, words: str) -> Markup:
    """A bar with its limit: green on the side that lets a run start, red on the other."""
    share, bound = (min(1.0, max(0.0, part / top)) if top > 0 else 0.0 for part in (value, limit))
    good = value >= limit if limit_is_least else value <= limit
    return Markup(
        '<svg class="gauge {}" viewBox="0 0 200 14" role="img" aria-label="{}" preserveAspectRatio="none">'
        '<rect class="track" width="200" height="14" rx="3"/><rect class="fill" width="{}" height="14" rx="3"/>'
        '<path class="limit" d="M{} -1V15"/></svg>'
    ).format("good" if good else "bad", escape(words), round(200 * share, 1), round(200 * bound, 1))
