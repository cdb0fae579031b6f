"""`--format json`: the same listing for programs, one way for every command."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def formatted(command: _Command) -> _Command:
    """Give a command `--format text|json` and its shorter form `--json`; it is handed `as_json`."""
    short = click.option("--json", "as_json", is_flag=True, is_eager=True, help="Short for `--format json`.")
    long = click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        expose_value=False,
        callback=_set,
        help="`json`: for programs.",
    )
    return long(short(command))


def _set(context: click.Context, _parameter: click.Parameter, form: str) -> None:
    if form == "json":  # `--json` is eager: it was read before
        context.params["as_json"] = True


def emit(value: object) -> None:
    """One JSON value, for people to read as well."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
