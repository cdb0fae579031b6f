"""How values read on a page: instants in the reader's zone, spans, numbers, win rates with what stands behind them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import log10
from zoneinfo import ZoneInfo

from markupsafe import Markup

from schemas.times import duration, in_zone, kept_instant, to_text

UNKNOWN = "–"
_SURE = 0.995
"""A score of everything is no infinite strength: Elo is shown up to this one, as in the tuner's report."""


def score(value: float) -> str:
    """A move's value; `player.js` writes it the same way."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def zone_of(name: str | None) -> ZoneInfo:
    """The zone of an IANA name; UTC for none and for one that this machine does not know."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Clockwork:
    """Says times as the reader of this page wants them."""

    zone: ZoneInfo
    now: datetime

    def at(self, instant: datetime | str | None, zone: str | None = None) -> Markup | str:
        """`Sun 29 Nov 18:38`, with the exact instant in UTC behind it; in the reader's zone unless one is given."""
        if not instant:
            return UNKNOWN
        known = kept_instant(instant) if isinstance(instant, str) else instant
        local = in_zone(known, zone_of(zone) if zone else self.zone)
        year = "" if local.year == self.now.year else f" {local.year}"
        shown = f"{local:%a %d %b}{year} {local:%H:%M}"
        return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{}</time>').format(
            to_text(known), known.astimezone(UTC), shown
        )

    def day(self, text: str, later: int = 0) -> datetime | None:
        """The beginning of a day of the reader's calendar, written 2026-11-29, or of one so many days later; None: "".

        Raises:
            ValueError, OverflowError: it is no day.
        """
        if not text:
            return None
        return datetime.fromisoformat(text[:10]).replace(tzinfo=self.zone) + timedelta(days=later)

    def gap(self, instant: datetime | str | None) -> str:
        """`in 2 h 05 min`, `3 d 4 h ago`."""
        if not instant:
            return UNKNOWN
        known = kept_instant(instant) if isinstance(instant, str) else instant
        span = known - self.now
        return f"in {duration(span)}" if span >= timedelta(0) else f"{duration(-span)} ago"


def span(seconds: float | None) -> str:
    """`12 s`, `7 min`, `2 h 05 min`."""
    return UNKNOWN if seconds is None else duration(timedelta(seconds=max(0.0, seconds)))


def count(value: float | None) -> str:
    """`12,345`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def percent(value: float | None, digits: int = 1) -> str:
    """A share as `56.1 %`."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def gain(value: float | None) -> str:
    """A change of a share as `+1.2 %`."""
    return UNKNOWN if value is None else f"{100 * value:+.1f} %"


def rate(value: float | None, low: float | None, high: float | None, games: int) -> str:
    """`56.1 % [53.0, 59.1] of 1,000 games`: a win rate is not told without them."""
    if value is None or games == 0:
        return "not measured yet"
    interval = f" [{100 * low:.1f}, {100 * high:.1f}]" if low is not None and high is not None else ""
    return f"{100 * value:.1f} %{interval} of {games:,} games"


def elo(share: float) -> float:
    """The difference in Elo at which this share of the points is expected (logistic, 400 a factor of ten)."""
    inside = min(_SURE, max(1 - _SURE, share))
    return 400 * log10(inside / (1 - inside))


def elo_words(share: float, low: float | None, high: float | None) -> str:
    """`+35 Elo [+12, +58]`."""
    interval = f" [{elo(low):+.0f}, {elo(high):+.0f}]" if low is not None and high is not None else ""
    return f"{elo(share):+.0f} Elo{interval}"


def words(term: str | None) -> str:
    """A term of ours as words: `no_move_changed` as `no move changed`."""
    return (term or UNKNOWN).replace("_", " ").replace("-", " ")
