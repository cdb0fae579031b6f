"""`ouroboros completion`: what a shell needs to complete commands, options and names."""

import sqlite3
from contextlib import closing
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem, get_completion_class

from schemas.errors import OuroborosError
from schemas.settings import get_config

_VARIABLE = "_OUROBOROS_COMPLETE"
_SHOWN = 100
_SQLITE = "sqlite:///"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print what SHELL needs to complete commands, options and the names of schedules and triggers.

    \b
    bash: eval "$(ouroboros completion bash)"              in ~/.bashrc
    zsh:  eval "$(ouroboros completion zsh)"               in ~/.zshrc
    fish: ouroboros completion fish | source               in ~/.config/fish/config.fish

    Example: ouroboros completion bash
    """
    from runner.cli import cli

    kind = get_completion_class(shell)
    assert kind is not None, "click knows all three"
    click.echo(kind(cli, {}, "ouroboros", _VARIABLE).source())


def names(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Schedules and triggers that begin so; none where the database cannot be read: a shell waits for this."""
    try:
        url = get_config().database_url
        if not url.startswith(_SQLITE):
            return []
        found = _read(url.removeprefix(_SQLITE), typed)
    except (OuroborosError, OSError, UnicodeError, sqlite3.Error):
        return []
    return [CompletionItem(name) for name in found if isinstance(name, str)]


def _read(path: str, typed: str) -> list[str]:
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True, timeout=1)) as connection:
        found = connection.execute(
            "SELECT name FROM schedules WHERE removed_at IS NULL AND substr(name, 1, length(:typed)) = :typed UNION "
            "SELECT name FROM triggers WHERE removed_at IS NULL AND substr(name, 1, length(:typed)) = :typed "
            "ORDER BY name LIMIT :most",
            {"typed": typed, "most": _SHOWN},
        )
        return [row[0] for row in found]
