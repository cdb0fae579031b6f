"""What the daemon's child does: synchronise, then think over the newest lost games."""

from datetime import UTC, datetime
from functools import partial

from pipeline.ladder import game_rows
from pipeline.ladder.opened import database_of, synchronise
from pipeline.ladder.token import required_token
from pipeline.ladder.why import explain
from schemas.errors import OuroborosError
from schemas.ladder import SyncReport
from schemas.outside_text import LINE_LIMIT, line
from schemas.settings import Settings


def synchronise_for_daemon(settings: Settings) -> SyncReport:
    """Fetch what is new, and think over lost games that nobody has thought over.

    Raises:
        ArenaError, SettingsError: there is no token.
        FolderInUseError: a person does so just now.
        MachineError, StateError: folder or database cannot be used.
    """
    report = synchronise(settings, required_token(settings), partial(datetime.now, UTC))
    notes = explain_losses(settings)
    return report.model_copy(update={"notes": [*report.notes, *notes]})


def explain_losses(settings: Settings) -> list[str]:
    """Think over the newest lost ladder games, as many as the settings allow; return what was found, in words. What
    cannot be thought over is told and tried again the next time."""
    told: list[str] = []
    database = database_of(settings, create=False)
    with database.read() as connection:
        lost = game_rows.lost_unexplained(connection, settings.arena.explain_losses)
    for row in lost:
        try:
            found = explain(settings, row, settings.arena.explain_turns, datetime.now(UTC))
        except OuroborosError as error:
            told.append(line(f"game {row['game_id']} cannot be thought over: {error}", LINE_LIMIT))
            break
        with database.write() as connection:
            game_rows.note_why(connection, found)
        told.append(line(f"game {found.game_id}: {found.verdict}", LINE_LIMIT))
    return told
