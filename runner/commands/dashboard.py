"""`ouroboros dashboard`: the web process by itself."""

import click

from schemas.settings import get_config


@click.group(invoke_without_command=True)
@click.pass_context
def dashboard(context: click.Context) -> None:
    """Serve the dashboard and the REST interface until Ctrl+C; `ouroboros up` does this by itself.

    Example: `ouroboros dashboard`, then open http://127.0.0.1:8817.
    """
    if context.invoked_subcommand is not None:
        return
    from runner.dashboard import url_of
    from runner.web.server import serve

    settings = get_config()
    click.echo(f"The dashboard is at {url_of(settings.web)}; Ctrl+C ends it.")
    serve(settings)
