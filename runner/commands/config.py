"""`ouroboros config`: the settings in force, and a file to begin from."""

from pathlib import Path

import click

from schemas.settings import get_config


@click.command()
@click.option("--save", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write them to this file.")
def config(path: Path | None) -> None:
    """Print the settings in force; with --save, write a file to edit (OUROBOROS_CONFIG names it).

    Example: ouroboros config --save settings.json
    """
    settings = get_config()
    if path is None:
        click.echo(settings.model_dump_json(indent=2))
        return
    settings.save_to_file(path)
    click.echo(f"Saved; `OUROBOROS_CONFIG={path} ouroboros up` uses it.")
