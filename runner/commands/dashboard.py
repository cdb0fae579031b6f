"""`ouroboros dashboard`: the web process by itself."""

import re
from datetime import UTC, datetime

import click

from runner.commands.client import open_store
from runner.commands.output import Column, console, emit, formatted, listing
from runner.store import tokens
from runner.store.states import TokenScope
from schemas.automation import NAME_PATTERN
from schemas.errors import BadInputError
from schemas.settings import get_config
from schemas.times import to_text

_COLUMNS = (Column("token", whole=True), Column("may", whole=True), Column("made (UTC)", whole=True))


@click.group(invoke_without_command=True)
@click.pass_context
def dashboard(context: click.Context) -> None:
    """Serve the dashboard and the REST interface until Ctrl+C; `ouroboros up` does this by itself.

    Example: ouroboros dashboard
    """
    if context.invoked_subcommand is not None:
        return
    from runner.web.server import serve
    from schemas.service import url_of

    settings = get_config()
    click.echo(f"The dashboard is at {url_of(settings.web)}; Ctrl+C ends it.")
    serve(settings)


@dashboard.group()
def token() -> None:
    """Tokens for whoever asks from another machine; on this one none is needed.

    Example: ouroboros dashboard token add grafana --scope read
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in TokenScope]),
    default=TokenScope.READ.value,
    show_default=True,
    help="`steer` may pause, run, cancel and change schedules too.",
)
def add(name: str, scope: str) -> None:
    """Make a token called NAME, and show it this once.

    Example: ouroboros dashboard token add phone --scope steer
    """
    if not re.fullmatch(NAME_PATTERN, name):
        raise BadInputError("no name for a token", where=name[:100], remedy="Use letters, digits, dots and dashes.")
    with open_store() as (_, store), store.write() as session:
        text = tokens.add(session, name, TokenScope(scope), datetime.now(UTC))
    click.echo(text)
    click.echo(f"It is shown this once; {name} may {scope}. Send it as `Authorization: Bearer ...`.", err=True)


@token.command("list")
@formatted
def list_tokens(as_json: bool) -> None:
    """List the tokens; of each only a digest is kept.

    Example: ouroboros dashboard token list
    """
    with open_store() as (_, store), store.read() as session:
        known = tokens.list_all(session)
    if as_json:
        emit([{"name": item.name, "scope": item.scope.value, "created_at": to_text(item.created_at)} for item in known])
        return
    rows = ([item.name, item.scope.value, f"{item.created_at:%Y-%m-%d %H:%M}"] for item in known)
    console.print(listing(_COLUMNS, rows) if known else "There is none. `ouroboros dashboard token add` makes one.")


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let nobody in by the token NAME any more.

    Example: ouroboros dashboard token revoke phone
    """
    with open_store() as (_, store), store.write() as session:
        tokens.revoke(session, name)
    click.echo(f"{name} lets nobody in any more.")
