"""`ouroboros config`: the settings in force, what each means, and a file to begin from."""

import json
import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from runner.commands.output import Column, console, emit, formatted, listing
from schemas.errors import BadInputError
from schemas.settings import Settings, get_config

_COLUMNS = (
    Column("setting"),
    Column("in force"),
    Column("default", wide_only=True),
    Column("takes"),
    Column("meaning"),
)


@click.command()
@click.argument("name", default="")
@click.option("--save", "path", type=click.Path(dir_okay=False, path_type=Path), help="Write all to this file.")
@formatted
def config(name: str, path: Path | None, as_json: bool) -> None:
    """Print the settings in force; with NAME, those of a group (or one) with what each means.

    With --save, write a new file to edit (OUROBOROS_CONFIG names it). All names: schemas/SETTINGS.md.

    Example: ouroboros config guards
    """
    settings = get_config()
    if path is not None:
        _refuse_unfit(path)
        settings.save_to_file(path)
        click.echo(f"Saved; `OUROBOROS_CONFIG={shlex.quote(str(path))} ouroboros up` uses it.")
    elif name:
        _explain(settings, name, as_json)
    else:
        click.echo(settings.model_dump_json(indent=2))


def _refuse_unfit(path: Path) -> None:
    """What is there may have been edited, or be a link or a device, in whose place a file would come."""
    if path.suffix == ".toml":  # whoever reads it would take it for TOML
        raise BadInputError("settings are saved as JSON", where=str(path), remedy="Let the name end with .json.")
    if os.path.lexists(path):
        raise BadInputError("settings are never saved over what is there", where=str(path), remedy="Name another file.")


def _explain(settings: Settings, name: str, as_json: bool) -> None:
    from schemas.settings_list import list_settings  # only who asks needs it

    rows = list_settings(name)
    if not rows:
        groups = ", ".join(Settings.model_fields)
        raise click.BadParameter(f"{name!r} is no setting and no group; the groups are {groups}.", param_hint="NAME")
    tree = settings.model_dump(mode="json")
    if as_json:
        emit([{**asdict(row), "default": json.loads(row.default), "in_force": _at(tree, row.name)} for row in rows])
        return
    cells = (
        (row.name, json.dumps(_at(tree, row.name)), row.default, f"{row.kind} {row.limits}".strip(), row.meaning)
        for row in rows
    )
    console.print(listing(_COLUMNS, cells))


def _at(tree: Any, name: str) -> Any:
    """What stands there; a value for each NAME."""
    step, _, rest = name.partition(".")
    if step == "NAME":
        return {each: _at(inner, rest) for each, inner in tree.items()}
    return _at(tree[step], rest) if rest else tree[step]
