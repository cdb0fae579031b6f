"""What Prometheus reads: true to the rows, in its own format; rules and dashboard ask for what is there."""

import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

from left_out import needed_program
from prometheus_client.parser import text_string_to_metric_families
from served_site import Served, daemon_of, served, wait_for

from runner.schedule import catch_up, overlap
from runner.store import queue
from runner.store.engine import Store
from runner.store.occurrences import NewOccurrence
from runner.store.states import OccurrenceState
from runner.web.metrics import _Look
from runner.web.site import open_site
from schemas.automation import CatchUpPolicy, OverlapPolicy, TrainingSchedule

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"


def figures(site: Served) -> dict[tuple[str, ...], float]:
    """Name and label values (in the order of the labels' names) -> value."""
    text = site.get("/metrics").body.decode()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_are_those_of_the_rows(reading: Served) -> None:
    told = figures(reading)
    assert told["ouroboros_daemon_up",] == 0
    assert told["ouroboros_runs_total", "succeeded"] == 1
    assert told["ouroboros_runs_total", "failed"] == 1
    assert told["ouroboros_runs_total", "cancelled"] == 1
    assert told["ouroboros_runs_under_way",] == 1
    assert told["ouroboros_queue_length",] == 1
    assert told["ouroboros_best_win_rate", "value"] == 0.61
    assert told["ouroboros_best_win_rate", "low"] == 0.58
    assert told["ouroboros_best_win_rate_games",] == 1000
    assert told["ouroboros_outbox_messages", "pending"] == 0
    assert told["ouroboros_resident_memory_bytes", "web"] > 1e6
    assert told["ouroboros_run_lateness_seconds",] == 0


def test_readiness_is_the_daemons(home: Path) -> None:
    with served(home) as site:
        told = site.get("/readyz")
        assert (told.status, told.json["detail"]) == (503, "no daemon is running; `ouroboros up` starts one")
        with daemon_of(site.settings):
            wait_for(lambda: site.get("/readyz").status == 200)
            assert figures(site)["ouroboros_daemon_up",] == 1
            assert figures(site)["ouroboros_resident_memory_bytes", "daemon"] > 1e6
        assert site.get("/readyz").status == 503
        assert site.get("/healthz").json == {"status": "ok"}


def test_due_times_that_did_not_run_are_counted_by_reason(home: Path) -> None:
    now = datetime.now(UTC)
    often = TrainingSchedule(name="often", cron_expression="*/10 * * * *", catch_up=CatchUpPolicy.NONE)
    late = catch_up.plan(often, now - timedelta(hours=3), now, pause_note=None)
    paused = catch_up.plan(often, now - timedelta(hours=1), now, pause_note="a move")
    skipped = overlap.decide(often.model_copy(update={"overlap": OverlapPolicy.SKIP}), [7], [])
    reasons = [*late.missed[:2], *paused.missed[:1]]
    store = Store(f"sqlite:///{home / 'automation_tracking.db'}", 30)
    with store.write() as session:
        for number, row in enumerate(reasons):
            new = NewOccurrence(often, now - timedelta(seconds=number), state=OccurrenceState.MISSED, reason=row.reason)
            queue.record(session, new, now, 100)
        instant = now - timedelta(minutes=1)
        new = NewOccurrence(often, instant, state=OccurrenceState.SKIPPED, reason=skipped.reason)
        queue.record(session, new, now, 100)
        full = NewOccurrence(often, now - timedelta(minutes=2))
        queue.record(session, full, now, 0)
    store.close()
    with served(home) as site:
        told = {key[1:]: value for key, value in figures(site).items() if key[0] == "ouroboros_skips_last_day"}
    assert told == {
        ("catch_up_none", "missed"): 2, ("paused", "missed"): 1, ("queue_full", "missed"): 1, ("overlap", "skipped"): 1,
    }  # fmt: skip


def test_promtool_reads_the_figures_and_the_rules(reading: Served) -> None:
    promtool = needed_program("promtool", "prometheus")
    text = reading.get("/metrics").body
    for command, given in ((["metrics"], text), (["rules", str(MONITORING / "alerts.yml")], None)):
        done = subprocess.run([promtool, "check", *command], input=given, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_rules_and_panels_ask_for_figures_and_labels_that_there_are(home: Path) -> None:
    with served(home) as site, daemon_of(site.settings):
        wait_for(lambda: site.get("/readyz").status == 200)
        opened = open_site(site.settings, b"")
        labels = {family.name: {*family._labelnames, "instance", "job"} for family in _Look(opened).collect()}
        opened.close()
        told = re.findall(r"^# TYPE (\w+?)(?:_total)? ", site.get("/metrics").body.decode(), flags=re.MULTILINE)
    assert set(told) == set(labels)
    asked = 0
    for expression, legend in [*_rules(), *_panels()]:
        names = re.findall(r"\bouroboros_[a-z_]+", expression)
        of_all = set.intersection(*(labels[name.removesuffix("_total")] for name in names))
        for name, selector in re.findall(r"\b(ouroboros_[a-z_]+)\{([^}]*)\}", expression):
            chosen = set(re.findall(r"(\w+)\s*[=!]~?", selector))
            assert chosen <= labels[name.removesuffix("_total")], expression
            asked += len(chosen)
        shown = set(re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", legend))
        assert shown <= of_all | {"value"}, (expression, legend)
        asked += len(shown)
    assert asked > 30


def test_grafana_can_load_the_dashboard(tmp_path: Path) -> None:
    """Its panels lie side by side, name variables that there are, and ask what Prometheus understands."""
    tree = json.loads((MONITORING / "grafana.json").read_text())
    variables = {each["name"] for each in tree["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(tree["panels"]))) <= variables
    assert tree["schemaVersion"] >= 36
    ids = [panel["id"] for panel in tree["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in tree["panels"]:
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                 for y in range(place["y"], place["y"] + place["h"])}  # fmt: skip
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
        assert panel["type"] in {"stat", "timeseries", "gauge", "bargauge", "table"}
    rules = tmp_path / "panels.yml"
    written = [
        {"record": f"panel:{number}", "expr": expression.replace("$instance", ".*")}
        for number, (expression, _) in enumerate(_panels())
    ]
    rules.write_text(json.dumps({"groups": [{"name": "panels", "rules": written}]}))
    done = subprocess.run([needed_program("promtool", "prometheus"), "check", "rules", str(rules)],
                          capture_output=True, check=False, timeout=60)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def _panels() -> list[tuple[str, str]]:
    """Expression and legend of each line of the dashboard."""
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    return [(target["expr"], target.get("legendFormat") or "") for panel in panels for target in panel["targets"]]


def _rules() -> list[tuple[str, str]]:
    """Expression and words of each alert."""
    text = (MONITORING / "alerts.yml").read_text()
    parts = re.split(r"- alert:", text)[1:]
    told = [(re.search(r"expr: (.*)", part), part) for part in parts]
    return [(found[1], part) for found, part in told if found and "ouroboros_" in found[1]]
