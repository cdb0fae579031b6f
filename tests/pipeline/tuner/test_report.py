"""The report: complete, in one file, and nothing in it is taken for markup."""

import os
import re
import shutil
import subprocess
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from simulated_hill import pair_scores

from pipeline.tuner.gate import GateRules, SeedOutcome, decide, measured_gain, no_regression
from pipeline.tuner.interactions import Interaction
from pipeline.tuner.report.content import AimRow, CarryOver, ChampionElo, FrontPoint, GateRecord, Report, WeightChange
from pipeline.tuner.report.page import Plot, PlotLine, draw, html_report, write_report
from pipeline.tuner.report.terminal import text_report
from pipeline.tuner.screen import EffectKind

HOSTILE = """<script>alert(1)</script>"'&<img src=x onerror=alert(2)>"""
RULES = GateRules()


def record(number: int, elo: float, games_before: int) -> GateRecord:
    random = np.random.default_rng((7, number))
    decision = decide(RULES, number, [SeedOutcome(score) for score in pair_scores(elo, 2000, random).tolist()])
    promoted = decision.verdict is not None and decision.verdict.value == "promoted"
    measured = measured_gain([SeedOutcome(s) for s in pair_scores(elo, 500, random).tolist()]) if promoted else None
    pool = no_regression(RULES, {"rust <snake>": [(0.5, 0.4), (0.75, 0.5)] * 20}) if promoted else ()
    return GateRecord(decision, decision.verdict, games_before, pool, measured)


def sample(name: str = "search.head_on") -> Report:
    measured = measured_gain([SeedOutcome(s) for s in pair_scores(120, 1000, np.random.default_rng(3)).tolist()])
    assert measured is not None
    rows = [WeightChange(name, 1.0, 1.3125, EffectKind.RESULT, -0.12, 0.031)]
    rows += [WeightChange(f"area.weight_{n}", 0.5 + n, 0.55 + n, EffectKind.MOVES, -0.01 * n, 0.004) for n in range(9)]
    rows += [WeightChange(f"unread.key_{n}", n, n, EffectKind.NO_EFFECT, 0.0, 0.0, tuned=False) for n in range(5)]
    before = "# my snake\nsearch:\n  head_on: 1.0  # [0, 4]\n  depth: 4\n"
    return Report(
        run="20261129_143000_ab12cd",
        snake="automation/go-snake",
        search="spsa",
        objective="duel",
        state="finished",
        written_at="29 Nov 2026 18:30 CET",
        rules=RULES,
        probe_conditions="110 positions a move",
        gate_conditions="as deployed: 4,000 positions a move",
        backend="in-process arena",
        seed=424242,
        gain=measured,
        games={"probe": 61_440, "gate": 3_212, "no_regression": 1_600, "measurement": 4_000, "screen": 924},
        cpu_hours=7.91,
        wall_hours=4.02,
        before=before,
        after=before.replace("1.0", "1.3125"),
        gates=(record(1, 110, 820), record(2, 45, 5_400), record(3, -20, 19_000), record(4, 0, 40_000)),
        elo=(ChampionElo(0, 0, 0, 0), ChampionElo(1_150, 96, 71, 122), ChampionElo(6_900, 139, 113, 166)),
        weights=tuple(rows),
        interactions=(Interaction("area.weight_1", "area.weight_3", 0.034, 0.008),),
        carry_over=(CarryOver("4,000 positions", measured), CarryOver("500 ms", measured)),
        seeds={"probes": "1 .. 30,720 of stream 424242"},
        notes=("37 of 77 weights have no effect: unread.key_0 and others.",),
    )


class Reader(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    VOID = frozenset({"meta", "link", "br", "img", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if self._open and self._open[-1] != "style" else ""

    def finish(self) -> "Reader":
        self.close()
        assert self._open == []
        return self


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader.finish()


def test_a_front_is_explained_and_shown() -> None:
    report = replace(
        sample(),
        aims=(AimRow("score", "more is better", 1), AimRow("move time", "less is better", -1)),
        front=(
            FrontPoint("1", {"score": 0.68, "move time": 2.0}, {"score": 0.02}, {"search.budget": (400, 800)}),
            FrontPoint("present weights", {"score": 0.5, "move time": 1.0}, {"score": 0.0}),
        ),
    )
    page = re.sub(r"\s+", " ", read(html_report(report)).text)
    shown = [
        "2 configurations to choose from",
        "None of these beats another in everything",
        "0.68 ± 0.039",
        "400 → 800",
    ]
    shown += ["present weights", "less is better", "ouroboros tune apply 20261129_143000_ab12cd --member 1"]
    assert [words for words in shown if words not in page] == []
    assert "Strength over the run" not in page
    text = text_report(report)
    assert "[1] score 0.68 ± 0.039, move time 2; 1 weights differ" in text
    assert report.rules.promise() not in text


def test_the_page_shows_all_that_a_run_has_to_show() -> None:
    report = sample()
    assert report.gain is not None
    page = re.sub(r"\s+", " ", read(html_report(report)).text)
    shown = [
        report.headline, f"{report.games_in_all:,}", "7.91 h", "4.02 h", report.rules.promise(), "promoted",
        "not better",
        "search.head_on", "1.3125", "-12.0 %", "no effect", "not tuned", "5 weights as they were", "424242",
        "ouroboros tune apply 20261129_143000_ab12cd", "- head_on: 1.0 # [0, 4]", "+ head_on: 1.3125 # [0, 4]",
        "500 ms", "110 positions a move", "area.weight_1 with area.weight_3 (+3.4 ± 1.6 %)",
        "1 .. 30,720", report.notes[0], "Log-likelihood ratios",
    ]  # fmt: skip
    assert [words for words in shown if words not in page] == []
    for gate in report.gates:
        assert f"{gate.decision.ratio:+.2f}" in page
        assert f"{gate.decision.upper:+.2f}" in page


def test_the_page_needs_nothing_beside_it_and_runs_nothing() -> None:
    reader = read(html_report(sample()))
    assert reader.tags.count("svg") == 5
    assert not {"script", "img", "link", "iframe", "object"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name in ("src", "href", "srcset") or name.startswith("on")]


def hostile(report: Report) -> Report:
    """Every text of the report is an attack."""
    texts = {f.name: HOSTILE for f in fields(report) if isinstance(getattr(report, f.name), str)}
    return replace(
        report,
        **texts,
        games={HOSTILE: 3},
        seeds={HOSTILE: HOSTILE},
        notes=(HOSTILE,),
        weights=(replace(report.weights[0], path=HOSTILE), replace(report.weights[-1], path=HOSTILE)),
        interactions=(Interaction(HOSTILE, HOSTILE, 0.1, 0.01),),
        carry_over=tuple(replace(row, conditions=HOSTILE) for row in report.carry_over),
        aims=(AimRow(HOSTILE, HOSTILE, 1), AimRow("time", "", -1)),
        front=(FrontPoint(HOSTILE, {HOSTILE: 1.0, "time": 1.0}, {}, {HOSTILE: (HOSTILE, HOSTILE)}),),
        gates=tuple(
            replace(gate, pool=tuple(replace(look, opponent=HOSTILE, worse=True) for look in gate.pool))
            for gate in report.gates
        ),
    )


def test_hostile_names_are_text_everywhere() -> None:
    page = html_report(hostile(sample()))
    plain = read(html_report(sample()))
    reader = read(page)
    assert "script" not in reader.tags
    assert "img" not in reader.tags
    assert not [name for name, _ in reader.attributes if name.startswith("on")]
    assert set(reader.tags) <= set(plain.tags)
    assert reader.text.count(HOSTILE) >= 20


def test_names_in_a_plot_are_text() -> None:
    drawn = draw(Plot(HOSTILE, HOSTILE, HOSTILE, [PlotLine([(0, 0), (1, 2)])], levels=[(1.0, HOSTILE)]))
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "script" not in read(drawn).tags


def test_before_the_first_candidate_there_is_a_page_too() -> None:
    empty = replace(
        sample(), gain=None, games={}, gates=(), elo=(), weights=(), interactions=(), carry_over=(), front=(),
        notes=(), seeds={}, after=sample().before,
    )  # fmt: skip
    page = read(html_report(empty)).text
    for words in ("No gain shown yet: 0 candidates", "No candidate has come to the gate yet.", "Nothing has changed."):
        assert words in page
    assert "No gain shown yet" in text_report(empty)


def test_a_plot_leaves_out_what_is_not_a_number_and_stands_one_point() -> None:
    assert "nan" not in draw(Plot("t", "x", "y", [PlotLine([(0, float("nan")), (1, 3.0), (2, float("inf"))])]))
    assert "nothing to draw" in draw(Plot("t", "x", "y", [PlotLine([])]))


def test_the_file_is_written_whole_and_twice_the_same(tmp_path: Path) -> None:
    path = write_report(sample(), tmp_path / "reports" / "run")
    first = path.read_text(encoding="utf-8")
    assert path.name == "index.html"
    assert write_report(sample(), path.parent).read_text(encoding="utf-8") == first
    assert [entry.name for entry in path.parent.iterdir()] == ["index.html"]


def test_the_terminal_shows_the_same_numbers_and_sends_no_control_characters() -> None:
    report = sample()
    text = text_report(replace(report, notes=("bell \a and \x1b[31mred",)))
    assert report.headline in text
    assert "\x1b" not in text
    assert "\a" not in text
    for words in (
        f"{report.games_in_all:,} games",
        "promoted",
        "search.head_on",
        "1.3125",
        "500 ms",
        "7.91 h of processor time",
    ):
        assert words in text


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium")
def test_chromium_shows_it_at_a_phones_width_without_a_sideways_scroll(tmp_path: Path) -> None:
    """The page is asked for its own width by a copy that may run a script."""
    probe = "<script>document.title = `${document.documentElement.scrollWidth} of ${innerWidth}`</script></body>"
    page = re.sub(r"<meta http-equiv[^>]*>", "", html_report(sample("a.very.long.name." * 8))).replace("</body>", probe)
    framed = tmp_path / "phone.html"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    framed.write_text(
        '<iframe src="page.html" style="width:390px;height:800px" onload="document.title ='
        ' this.contentDocument.title"></iframe><script></script>',
        encoding="utf-8",
    )
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", framed.as_uri()]
    home = os.environ | {"HOME": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=home)
    found = re.search(r"<title>(\d+) of (\d+)</title>", done.stdout)
    assert found, done.stdout[:500]
    assert int(found[1]) <= int(found[2]) == 390
