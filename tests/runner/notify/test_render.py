"""What a reader gets to see: golden mails, and a plot that is really drawn."""

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from matplotlib import pyplot

from runner.notify import messages
from runner.notify.plot import draw_win_rates, figure, time_axis
from runner.notify.render import as_email, as_text, message_id
from schemas.message import WinRatePoint
from schemas.notification import SmtpSettings

GOLDEN = Path(__file__).parents[2] / "golden" / "mails"
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", ["completion", "failure"])
def test_golden_mails(name, request, result, failed, schedule, settings):
    ended = {"completion": result(), "failure": failed}[name]
    message = messages.run_ended(ended, schedule, [], settings)
    mail = as_email(message, SmtpSettings(sender="ouroboros@example.com"), "desk", None, ended.completed_at)
    text = mail.get_body(("plain",)).get_content()
    html = mail.get_body(("html",)).get_content()
    assert text == (GOLDEN / f"{name}.txt").read_text()
    assert html == (GOLDEN / f"{name}.html").read_text()
    assert mail["Subject"].startswith("[Ouroboros] daily: ")
    assert mail["Message-ID"] == message_id(message.dedup_key, "ouroboros@example.com")


def test_html_of_a_failure_escapes_what_the_worker_wrote(failed, schedule, settings):
    message = messages.run_ended(failed, schedule, [], settings)
    html = (
        as_email(message, SmtpSettings(sender="o@example.com"), "desk", None, failed.completed_at)
        .get_body(("html",))
        .get_content()
    )
    assert "<b>does not build" not in html
    assert "&lt;b&gt;does not build" in html
    assert "line 59 &amp; more" in html


def test_the_plot_is_a_drawn_png_inside_the_mail(result, schedule, settings, win_rates):
    plot = draw_win_rates(win_rates)
    assert plot.startswith(PNG)
    message = messages.run_ended(result(), schedule, win_rates, settings)
    mail = as_email(message, SmtpSettings(sender="o@example.com"), "desk", plot, result().completed_at)
    again = email.message_from_bytes(mail.as_bytes(), policy=email.policy.default)
    (image,) = [part for part in again.walk() if part.get_content_type() == "image/png"]
    assert image.get_content() == plot
    assert image["Content-ID"].strip("<>") in again.get_body(("html",)).get_content()


def test_text_ends_with_the_machine_and_has_no_blank_run(result, schedule, settings):
    text = as_text(messages.run_ended(result(), schedule, [], settings), "desk")
    assert text.endswith("-- \nOuroboros on desk\n")
    assert "\n\n\n" not in text


def test_message_ids_are_stable_and_distinct():
    assert message_id("a", "x@y.org") == message_id("a", "x@y.org")
    assert message_id("a", "x@y.org") != message_id("b", "x@y.org")
    assert message_id("a", "x@y.org").endswith("@y.org>")


@pytest.mark.parametrize("gaps_h", [[], [1], [1, 1, 30]])
def test_the_time_axis_of_few_runs_is_hours_wide(gaps_h):
    """One point, or two an hour apart, stood on an axis of years."""
    ends = [datetime(2026, 3, 1, 23, 30, tzinfo=UTC)]
    for gap in gaps_h:
        ends.append(ends[-1] + timedelta(hours=gap))
    points = [WinRatePoint(completed_at=end, win_rate=0.7, low=0.6, high=0.8, games=50) for end in ends]
    left, right = time_axis(points)
    assert left < ends[0] and ends[-1] < right
    assert timedelta(hours=6) <= right - left <= max(timedelta(hours=6), 1.2 * (ends[-1] - ends[0]))
    drawn = figure(points)
    drawn.canvas.draw()
    labels = [label.get_text() for label in drawn.axes[0].get_xticklabels() if label.get_text()]
    assert len(labels) >= 3
    assert all(re.fullmatch(r"\d\d:\d\d|[A-Z][a-z]{2}-\d\d|\d\d", label) for label in labels), labels
    assert sum(":" in label for label in labels) >= len(labels) // 2, labels
    pyplot.close(drawn)
