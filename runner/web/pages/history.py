"""The history: runs by schedule, trigger, outcome and time, also as CSV; one run with all that is known of it."""

import csv
import difflib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from litestar import Response, get
from litestar.response import Stream, Template

from runner.web.pages.page import AnyRequest, clockwork, missing, page
from runner.web.pages.words import Clockwork
from runner.web.problems import ProblemError
from runner.web.read import news, runs, waiting
from runner.web.read.runs import Run, RunFilter, tail
from runner.web.site import Site
from schemas.outside_text import passage
from schemas.times import to_text

SHOWN = 50
CSV_ROWS = 100_000
LOG_LINES = 200
_CSV_SLICE = 500
_FILES_SHOWN = 200
_TYPES = ("scheduled", "manual", "emergency", "data_driven", "performance_driven", "chain")
_OUTCOMES = ("running", "succeeded", "failed", "timed_out", "cancelled", "lost")


@get("/history", sync_to_thread=True)
def history(request: AnyRequest, site: Site) -> Template:
    """Runs, newest first."""
    clock = clockwork(request, site)
    wanted, given = _filter(request, clock)
    with site.history.snapshot() as rows:
        found = runs.find(rows, wanted, SHOWN)
        names = [row[0] for row in rows.execute("SELECT name FROM schedules ORDER BY name LIMIT 500")]
        triggers = [row[0] for row in rows.execute("SELECT name FROM triggers ORDER BY name LIMIT 500")]
    kept = {key: value for key, value in given.items() if value}
    older = urlencode(kept | {"before": found.before}) if found.before else ""
    return page(
        request, site, "history.html", "History", "/history", clock=clock, found=found, given=given, names=names,
        triggers=[*_TYPES, *triggers], outcomes=_OUTCOMES, older=older, newest=urlencode(kept), csv=urlencode(kept),
    )  # fmt: skip


@get("/history.csv", sync_to_thread=True)
def history_csv(request: AnyRequest, site: Site) -> Stream:
    """The same runs as a table for other programs, at most CSV_ROWS of them; times are UTC."""
    wanted, _ = _filter(request, clockwork(request, site))
    with site.history.snapshot():
        pass  # what is wrong with the database is told before the first row, not in the middle of the table
    return Stream(
        _csv_rows(site, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="ouroboros-history.csv"'},
    )


@get("/history/{run_id:int}", sync_to_thread=True)
def run_page(request: AnyRequest, site: Site, run_id: int) -> Template:
    """One run."""
    clock = clockwork(request, site)
    with site.history.snapshot() as rows:
        run = runs.one(rows, run_id)
        if run is None:
            raise missing(f"run {run_id}")
        before = runs.before(rows, run)
        occurrence = waiting.occurrence(rows, run.occurrence_id)
        older = waiting.occurrence(rows, before.occurrence_id) if before else None
        known = {
            "attempts": runs.attempts(rows, run.occurrence_id),
            "told": waiting.decisions(rows, run.occurrence_id),
            "letters": news.letters_of(rows, run.id),
        }
    definition = _pretty(occurrence.definition_json if occurrence else None)
    return page(
        request, site, "run.html", f"Run {run.id} of {run.schedule}", "/history", clock=clock, run=run, before=before,
        occurrence=occurrence, definition=definition,
        difference=_difference(_pretty(older.definition_json if older else None), definition),
        log=tail(run.folder / "worker.log", LOG_LINES, site.settings.runs_dir), files=_files(site, run),
        alive=site.daemon_lives(), **known,
    )  # fmt: skip


@get("/history/{run_id:int}/files/{name:str}", sync_to_thread=True)
def run_file(site: Site, run_id: int, name: str) -> Response[bytes]:
    """One file of a run's folder, as plain text: nothing in it is rendered."""
    with site.history.snapshot() as rows:
        run = runs.one(rows, run_id)
    found = dict(_files(site, run)) if run else {}
    if run is None or name not in found:
        raise missing(f"file {name} of run {run_id}")
    try:
        with (run.folder / name).open("rb") as handle:
            data = handle.read(4_000_000)
    except OSError as error:
        raise missing(f"file {name} any more") from error
    return Response(passage(data, 0).encode(), media_type="text/plain; charset=utf-8")


def _filter(request: AnyRequest, clock: Clockwork) -> tuple[RunFilter, dict[str, str]]:
    names = ("schedule", "trigger", "outcome", "since", "until")
    given = {name: str(request.query_params.get(name, "")).strip() for name in names}
    before = str(request.query_params.get("before", ""))
    try:
        wanted = RunFilter(
            schedule=given["schedule"],
            trigger=given["trigger"],
            outcome=given["outcome"],
            since=clock.day(given["since"]),
            until=clock.day(given["until"], 1),
            before=int(before) if before else None,
        )
    except (ValueError, OverflowError) as error:  # the day after the calendar's last one
        raise ProblemError(400, "a day is written as 2026-11-29, and a page's beginning is a number") from error
    return wanted, given


def _csv_rows(site: Site, wanted: RunFilter) -> Iterator[bytes]:
    """Slice by slice, each in a snapshot of its own: no reader is held while a slow network takes them."""
    columns = ("run", "schedule", "trigger_type", "trigger", "scheduled_for", "started_at", "completed_at", "status",
               "attempt", "worker", "best_win_rate", "low", "high", "games_behind_it", "games", "cpu_time_s",
               "peak_memory_mb", "error")  # fmt: skip
    yield _csv_line(columns)
    sent = 0
    before = wanted.before
    while sent < CSV_ROWS:
        with site.history.snapshot() as rows:
            found = runs.find(rows, _from(wanted, before), _CSV_SLICE)
        yield b"".join(_csv_line(_csv_values(run)) for run in found.runs)
        sent, before = sent + len(found.runs), found.before
        if before is None:
            return


def _from(wanted: RunFilter, before: int | None) -> RunFilter:
    return RunFilter(wanted.schedule, wanted.trigger, wanted.outcome, wanted.since, wanted.until, before)


def _csv_values(run: Run) -> tuple[object, ...]:
    state, usage = run.state, run.usage
    return (
        run.id, run.schedule, run.trigger_type, run.trigger_name, to_text(run.scheduled_for), to_text(run.started_at),
        to_text(run.completed_at) if run.completed_at else None, run.status, run.attempt, run.worker,
        state.best_win_rate if state.best_win_rate_games else None, state.best_win_rate_low, state.best_win_rate_high,
        state.best_win_rate_games, state.total_games_processed, usage.cpu_time_s if usage else None,
        usage.peak_memory_mb if usage else None, run.error,
    )  # fmt: skip


def _csv_line(values: tuple[object, ...]) -> bytes:
    """A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    safe = [f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" else value for value in values]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue().encode()


def _pretty(definition_json: str | None) -> str:
    if not definition_json:
        return ""
    try:
        return json.dumps(json.loads(definition_json), indent=2, ensure_ascii=False)
    except ValueError:
        return definition_json


def _difference(old: str, new: str) -> list[str]:
    """The lines that differ, with a little around them; empty where nothing does, or there was no run before."""
    if not old or old == new:
        return []
    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), "the run before", "this run", "", "", 1, ""))


def _files(site: Site, run: Run) -> list[tuple[str, int]]:
    """Names and sizes of what lies in the run's folder."""
    try:
        folder = run.folder.resolve()
        if not folder.is_relative_to(site.settings.runs_dir.resolve()):
            return []
        entries = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.is_symlink())
        return [(entry.name, entry.stat().st_size) for entry in entries[:_FILES_SHOWN] if _shown(entry)]
    except OSError:
        return []


def _shown(entry: Path) -> bool:
    """The request holds the settings as they were; they hold no secrets, only where those lie."""
    return not entry.name.startswith(".")
