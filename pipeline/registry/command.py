"""`ouroboros models`: the registry from the command line."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from schemas.errors import ModelError
from schemas.model import ByHand, ModelStatus
from schemas.person import user_name
from schemas.settings import get_config

if TYPE_CHECKING:
    from pipeline.registry.model_store import ModelStore

_Command = TypeVar("_Command", bound=Callable[..., Any])
_REASON = click.option("--reason", default="", help="Why; kept with the step.")


def _formatted(command: _Command) -> _Command:
    """`--format text|json`, and its shorter form `--json`."""
    short = click.option("--json", "as_json", is_flag=True, is_eager=True, help="Short for `--format json`.")
    kinds = click.Choice(["text", "json"])
    told = "`json`: for programs, one model a line."
    long = click.option("--format", "form", type=kinds, expose_value=False, callback=_set_format, help=told)
    return long(short(command))


def _set_format(context: click.Context, _parameter: click.Parameter, form: str | None) -> None:
    if form == "json":  # `--json` is eager: it was read before
        context.params["as_json"] = True


@click.group("models", invoke_without_command=True)
@_formatted
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """Show the registered models, and decide by hand which one is the champion.

    Example: ouroboros models
    """
    if context.invoked_subcommand is None:
        context.invoke(list_models, as_json=as_json)


@models.command("list")
@click.option("--status", type=click.Choice([status.value for status in ModelStatus]), help="Only these.")
@click.option("--name", help="Only the versions of this name.")
@click.option("--phase", help="Only those of this training phase.")
@_formatted
def list_models(
    status: str | None = None, name: str | None = None, phase: str | None = None, as_json: bool = False
) -> None:
    """List the models, newest first.

    Example: ouroboros models list --status champion
    """
    from pipeline.registry.listing import print_models

    found = _model_store().list(status=ModelStatus(status) if status else None, name=name, training_phase=phase)
    if as_json:
        for card in reversed(found):
            click.echo(card.model_dump_json())
        return
    print_models(list(reversed(found)))


@models.command("show")
@click.argument("model_id", metavar="ID")
@_formatted
def show(model_id: str, as_json: bool) -> None:
    """Show all that is known of a model: numbers and the games behind them, lineage, history.

    Example: ouroboros models show MODEL
    """
    from pipeline.registry.listing import print_model

    model_store = _model_store()
    card = model_store.card(_whole_id(model_store, model_id))
    if as_json:
        click.echo(card.model_dump_json())
        return
    print_model(card, model_store.lineage(card.id)[1:], model_store.events(card.id))


@models.command("promote")
@click.argument("model_id", metavar="ID")
@_REASON
def promote(model_id: str, reason: str) -> None:
    """Make a model the champion, whatever was measured.

    Example: ouroboros models promote MODEL --reason "it won at home"
    """
    model_store = _model_store()
    card = model_store.promote(_whole_id(model_store, model_id), _by_hand(reason), datetime.now(UTC))
    click.echo(f"{card.id} is the champion.")


@models.command("rollback")
@_REASON
def rollback(reason: str) -> None:
    """Make the champion before the present one champion again.

    Example: ouroboros models rollback --reason "it loses on the ladder"
    """
    card = _model_store().roll_back(datetime.now(UTC), _by_hand(reason))
    click.echo(f"{card.id} is the champion again.")


@models.command("retire")
@click.argument("model_id", metavar="ID")
@_REASON
def retire(model_id: str, reason: str) -> None:
    """Take a model out of service: no roll-back goes to it any more.

    Example: ouroboros models retire MODEL
    """
    model_store = _model_store()
    card = model_store.retire(_whole_id(model_store, model_id), datetime.now(UTC), _by_hand(reason))
    click.echo(f"{card.id} is retired.")


@models.command("verify")
def verify() -> None:
    """Read every weights file and compare its hash; ends with 2 if one is damaged.

    Example: ouroboros models verify
    """
    found = _model_store().verify(datetime.now(UTC))
    for file in found.orphans_removed:
        click.echo(f"removed {file}: no model has it")
    for model_id, damage in found.damaged.items():
        click.echo(f"damaged: {model_id}: {damage}", err=True)
    click.echo(f"{len(found.sound)} models are sound, {len(found.damaged)} damaged.")
    if found.damaged:
        raise click.exceptions.Exit(ModelError.exit_code)


def _model_store() -> "ModelStore":
    from pipeline.registry.model_store import ModelStore  # the list of all commands must not load SQLAlchemy and numpy

    return ModelStore(get_config(), create=False)


def _by_hand(reason: str) -> ByHand:
    return ByHand(asked_by=user_name(), reason=reason)


def _whole_id(model_store: "ModelStore", given: str) -> str:
    """The id that begins so; `champion` is the champion's.

    Raises:
        ModelError: none does, or several.
    """
    champion = model_store.champion()
    if given == "champion" and champion is not None:
        return champion.id
    fitting = [card.id for card in model_store.list() if card.id.startswith(given)]
    if given in fitting or len(fitting) == 1:
        return given if given in fitting else fitting[0]
    what = f"{len(fitting)} models begin so" if fitting else "no such model"
    raise ModelError(what, where=given, remedy="`ouroboros models list` shows them.")
