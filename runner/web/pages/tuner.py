"""The Go-weight tuner: is the snake stronger, how do we know, and which weights did it."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from litestar import Response, get
from litestar.response import Redirect, Template
from markupsafe import Markup

from runner.web.pages.charts import Chart, Level, Line, Mark, draw
from runner.web.pages.opened_games import again_link
from runner.web.pages.page import AnyRequest, missing, page
from runner.web.pages.words import elo, elo_words, gain
from runner.web.read import ledger_games, tuning
from runner.web.read.tuning import Digest, Effect, Promotion, TestDigest
from runner.web.site import Site
from schemas.errors import StateError
from schemas.tuning_run import TuningPhase, TuningState, WeightValue

TESTS_DRAWN, TESTS_LISTED = 6, 30
_RUN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_DOING = {
    TuningPhase.BASELINE: "measuring the start",
    TuningPhase.SCREEN: "screening which weights do anything",
    TuningPhase.SEARCH: "searching",
    TuningPhase.GATE: "testing a candidate",
    TuningPhase.CROSSING: "asking which weights matter together",
    TuningPhase.FRONT: "measuring contenders of the Pareto front",
    TuningPhase.MEASURE: "measuring a promotion",
}


@dataclass(frozen=True, slots=True)
class WeightRow:
    """One weight over the run."""

    path: str
    values: tuple[tuple[int, WeightValue], ...]
    """Games of the run, and the value from then on; the first is what it began with. Empty: it never moved."""
    effect: Effect | None
    inert: bool

    @property
    def chart(self) -> Markup:
        """Its value over the games, as a small picture."""
        numbers = [(float(games), float(value)) for games, value in self.values]
        return sparkline(numbers) if len(numbers) > 1 else Markup("")


@get("/tuner", sync_to_thread=True)
def tuner(request: AnyRequest, site: Site) -> Template | Redirect:
    """The newest run."""
    try:
        with site.ledger.snapshot() as rows:
            known = tuning.list_runs(rows)
    except StateError:
        known = []
    if not known:
        return page(request, site, "tuner_first.html", "Tuner", "/tuner", unread="")
    return _run_page(request, site, known[0].run)


@get("/tuner/{run:str}", sync_to_thread=True)
def tuner_run(request: AnyRequest, site: Site, run: str) -> Template:
    """One run."""
    return _run_page(request, site, run)


@get("/tuner/{run:str}/step/{serial:int}", sync_to_thread=True)
def tuner_step(request: AnyRequest, site: Site, run: str, serial: int) -> Template:
    """The games behind one step: what was counted there, seed by seed."""
    with site.ledger.snapshot() as rows:
        row = rows.execute("SELECT at, kind FROM steps WHERE run = ? AND serial = ?", (run, serial)).fetchone()
        if row is None:
            raise missing(f"step {serial} of run {run}")
        games, total = ledger_games.games_of_step(rows, run, serial)
        whole = ": all games of its test until then" if ledger_games.steps_of_test(rows, run, serial) else ""
    return page(
        request, site, "ledger_games.html", f"Games behind step {serial} of {run}", "/tuner", games=games, total=total,
        told=f"Step {serial}, {row['kind']}{whole}.", at=row["at"], back=f"/tuner/{run}", base=f"/tuner/{run}",
        again=again_link,
    )  # fmt: skip


@get("/tuner/{run:str}/report", sync_to_thread=True)
def tuner_report(site: Site, run: str) -> Response[bytes]:
    """The run's report as the tuner wrote it: one file that may style itself and do nothing else."""
    found = report_of(site, run)
    if found is None:
        raise missing(f"report of {run} yet; `ouroboros tune report {run}` writes it")
    headers = {"content-security-policy": REPORT_POLICY}
    return Response(found.read_bytes(), media_type="text/html; charset=utf-8", headers=headers)


def report_of(site: Site, run: str) -> Path | None:
    """The report's file; None: there is none yet."""
    path = site.settings.tuner_dir / "reports" / run / "index.html"
    return path if _RUN_NAME.fullmatch(run) and run not in {".", ".."} and path.is_file() else None


def _run_page(request: AnyRequest, site: Site, run: str) -> Template:
    with site.ledger.snapshot() as rows:
        known = tuning.list_runs(rows)
        head = next((each for each in known if each.run == run), None)
        state = tuning.state_of(rows, run)
        if head is None:
            raise missing(f"run {run} in the tuner's ledger")
        if state is None:  # of a newer version, or damaged: the rest of the page would stand on nothing
            return page(request, site, "tuner_first.html", f"Tuner: {run}", "/tuner", unread=run)
        games = tuning.games_by_kind(rows, run)
    digest = site.digests.of(run)
    rows_of_weights = weight_rows(digest, state)
    tests = [digest.tests[number] for number in sorted(digest.tests, reverse=True)]
    return page(
        request, site, "tuner.html", f"Tuner: {run}", "/tuner", head=head, state=state, digest=digest, known=known,
        games=games, all_games=sum(games.values()), doing=_DOING[state.phase], headline=_headline(digest, state),
        front=front_charts(state), pairs=digest.pairs, elo_chart=draw(elo_chart(digest, sum(games.values()))),
        tests=tests[:TESTS_LISTED],
        ratio_charts=[(test, draw(ratio_chart(test))) for test in tests[:TESTS_DRAWN]],
        moved=[row for row in rows_of_weights if row.values],
        still=[row for row in rows_of_weights if not row.values and not row.inert],
        dead=[row for row in rows_of_weights if row.inert],
        difference=_difference(state), report=report_of(site, run) is not None, promise=_promise(digest),
    )  # fmt: skip


def _headline(digest: Digest, state: TuningState) -> str:
    if (
        state.best is not None
        and digest.promotions
        and digest.promotions[-1].facts.best_win_rate_against == "reference"
    ):
        best = state.best
        return (
            f"{elo_words(best.win_rate, best.low, best.high)} over the weights it began with, on {best.games:,} games"
            " that decided nothing."
        )
    if digest.promotions:
        last = digest.promotions[-1].facts
        return (
            f"The last promotion gained {gain(last.improvement)} [{100 * last.improvement_low:+.1f},"
            f" {100 * last.improvement_high:+.1f}] over the best before it."
        )
    tried = "1 candidate was" if digest.iterations == 1 else f"{digest.iterations:,} candidates were"
    return f"Nothing has been promoted yet; {tried} judged."


def _promise(digest: Digest) -> str:
    rules = digest.settings
    if rules.accept.value == "mean":
        return "Kept is what measured better (the guide's plain rule): about every second change that does nothing too."
    return (
        f"A candidate is promoted if one sequential test finds it better (a gain of {rules.min_improvement:.1%} against"
        f" {rules.target_improvement:.1%}); of {1 / rules.alpha:.0f} whole runs in which nothing is better, at most one"
        " promotes anything."
    )


def elo_chart(digest: Digest, games: int) -> Chart:
    """Elo of the champion over the run's games (`games` so far); a mark at each promotion opens its games."""
    points = [(0.0, 0.0)]
    marks = []
    for each in digest.promotions:
        facts = each.facts
        if facts.best_win_rate_against != "reference":
            continue
        points.append((float(each.games), elo(facts.best_win_rate)))
        marks.append(_promotion_mark(digest.run, each))
    points.append((float(max(games, int(points[-1][0]) + 1)), points[-1][1]))
    return Chart(
        title="Elo of the champion over the weights that the run began with",
        x_name="games of the run",
        y_name="Elo",
        y_least=40,
        lines=[Line("champion", points, "c1", stepped=True)],
        marks=marks,
        levels=[Level(0, "the start")],
        words=[mark.words for mark in marks] or ["Nothing was promoted yet."],
    )


def _promotion_mark(run: str, each: Promotion) -> Mark:
    facts = each.facts
    rates = (facts.best_win_rate, facts.best_win_rate_low, facts.best_win_rate_high)
    return Mark(
        float(each.games),
        elo(facts.best_win_rate),
        f"promoted after {each.games:,} games: {elo_words(*rates)} over {facts.best_win_rate_games:,} games",
        elo(facts.best_win_rate_low),
        elo(facts.best_win_rate_high),
        f"/tuner/{run}/step/{each.serial}",
        strong=True,
    )


def ratio_chart(test: TestDigest) -> Chart:
    """The log-likelihood ratio of one test between its bounds."""
    last = test.path[-1]
    decided = test.decision.replace("_", " ") or "under way"
    return Chart(
        title=f"Test {test.number}, {decided}",
        x_name="seeds",
        y_name="log-likelihood ratio",
        lines=[Line(f"test {test.number}", [(0.0, 0.0), *test.path], "c2" if test.decision == "accepted" else "c1")],
        levels=[Level(test.upper, "better"), Level(test.lower, "not better")],
        words=[f"The ratio stands at {last[1]:+.2f} after {last[0]:.0f} seeds; the bounds are {test.lower:+.2f} and"
               f" {test.upper:+.2f}."],
    )  # fmt: skip


def front_charts(state: TuningState) -> list[Markup]:
    """The Pareto front, each objective over the first one, with 95 % bars of what stands upright."""
    if not state.front:
        return []
    across, *others = list(state.front[0].values)
    return [draw(_front_chart(state, across, other)) for other in others]


def _front_chart(state: TuningState, across: str, other: str) -> Chart:
    marks = [
        Mark(
            member.values[across],
            member.values[other],
            f"{member.name}: {across} {member.values[across]:.4g}, {other} {member.values[other]:.4g}",
            member.values[other] - 1.96 * member.errors[other],
            member.values[other] + 1.96 * member.errors[other],
            strong=True,
        )
        for member in state.front
        if {across, other} <= member.values.keys() & member.errors.keys()
    ]
    title = f"Pareto front: {other.replace('_', ' ')} over {across.replace('_', ' ')}"
    return Chart(
        title=title, x_name=across.replace("_", " "), y_name=other, marks=marks, words=[mark.words for mark in marks]
    )


def weight_rows(digest: Digest, state: TuningState) -> list[WeightRow]:
    """Every weight that was tuned, screened or moved; those that moved most often first."""
    moves: dict[str, list[tuple[int, WeightValue]]] = {}
    for each in digest.promotions:
        for path, (old, new) in each.facts.changed.items():
            moves.setdefault(path, [(0, old)]).append((each.games, new))
    names = dict.fromkeys([*moves, *digest.effects, *digest.rules])
    rows = [
        WeightRow(name, tuple(moves.get(name, ())), digest.effects.get(name), name in state.inert) for name in names
    ]
    return sorted(rows, key=lambda row: -len(row.values))


def sparkline(points: list[tuple[float, float]]) -> Markup:
    """A stepped line without axes."""
    width, height, pad = 120, 26, 3
    xs, ys = [x for x, _ in points], [y for _, y in points]
    wide, tall = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    steps = []
    for number, (x, y) in enumerate(points):
        across = round(pad + (x - min(xs)) / wide * (width - 2 * pad), 1)
        down = round(height - pad - (y - min(ys)) / tall * (height - 2 * pad), 1)
        steps.append(f"M{across} {down}" if number == 0 else f"H{across}V{down}")
    return Markup(
        '<svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" aria-hidden="true">'
        '<path class="line c1" d="{2}"/></svg>'
    ).format(width, height, "".join(steps))


def _difference(state: TuningState) -> list[str]:
    old, new = state.reference.splitlines(), state.champion.splitlines()
    return list(difflib.unified_diff(old, new, "the weights it began with", "the best", "", "", 1, ""))
