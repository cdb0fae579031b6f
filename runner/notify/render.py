"""A message as an e-mail: plain text, HTML, and the plot inside it."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import cache
from typing import TYPE_CHECKING

from schemas.message import Message, MessageKind, message_id
from schemas.notification import SmtpSettings

if TYPE_CHECKING:
    from jinja2 import Environment

_BAD = (MessageKind.FAILURE, MessageKind.DEGRADATION, MessageKind.CRASH_RECOVERY, MessageKind.ALERT)


@cache
def _pages() -> "Environment":
    """The templates, read at the first message: many daemons send none for weeks, and Jinja takes three megabytes."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("runner.notify"),
        autoescape=select_autoescape(["html.j2"]),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def as_text(message: Message, host: str) -> str:
    """The plain-text body, also for channels that are no e-mail."""
    return _pages().get_template("message.txt.j2").render(message=message, host=host)


def as_email(
    message: Message,
    smtp: SmtpSettings,
    host: str,
    plot_png: bytes | None,
    sent_at: datetime,
    run_png: bytes | None = None,
) -> EmailMessage:
    """A multipart mail whose Message-ID depends on the message alone, so that a second delivery is recognised.

    `host` names this machine in the footer; the domain of the sender's address ends the Message-ID.
    `plot_png` is the history of runs, `run_png` what the run itself left as its picture.
    """
    mail = EmailMessage()
    mail["Subject"] = f"[Ouroboros] {message.subject}"
    mail["From"] = Address(smtp.sender_name, addr_spec=smtp.sender_address)
    mail["To"] = ", ".join(message.recipients)
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = message_id(message.dedup_key, smtp.sender_address)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(as_text(message, host))
    plot_id = "win-rates@ouroboros" if plot_png else ""
    run_id = "run@ouroboros" if run_png else ""
    html = (
        _pages()
        .get_template("message.html.j2")
        .render(message=message, host=host, plot=plot_id, run_picture=run_id, bad=message.kind in _BAD)
    )
    mail.add_alternative(html, subtype="html")
    if run_png:
        _html_part(mail).add_related(run_png, "image", "png", cid=f"<{run_id}>", filename="run.png")
    if plot_png:
        _html_part(mail).add_related(plot_png, "image", "png", cid=f"<{plot_id}>", filename="win-rates.png")
    return mail


def _html_part(mail: EmailMessage) -> EmailMessage:
    return next(part for part in mail.iter_parts() if part.get_content_type() == "text/html")  # type: ignore[misc]
