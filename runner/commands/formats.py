"""`--format json`: the same listing for programs, one way for every command."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def formatted(command: _Command) -> _Command:
    """Give a command `--format` (and its older name `--json`); it is handed `as_json`."""
    listed = click.option(
        "--format",
        "as_json",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        callback=lambda _context, _parameter, value: value == "json",
        help="`json`: for programs.",
    )
    return listed(command)


def emit(values: Iterable[object]) -> None:
    """A listing as one JSON array."""
    click.echo(json.dumps(list(values), indent=2, ensure_ascii=False))
