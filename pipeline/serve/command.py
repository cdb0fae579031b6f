"""`ouroboros serve` and `ouroboros shadow-report`."""

import os
from pathlib import Path

import click

from schemas.errors import ModelError
from schemas.settings import Settings, get_config

CHAMPION_FILE = "champion.onnx"


@click.command("serve", context_settings={"show_default": True})
@click.argument("model", required=False)
@click.option("--port", type=int, default=lambda: int(os.environ.get("PORT", "8000")), help="0: a free one.  [PORT]")
@click.option("--host", default="0.0.0.0", help="Address to listen on.")  # noqa: S104 - game servers call from outside
@click.option("--shadow", help="A challenger: what it would have played is written down.")
@click.option(
    "--games-dir", help="Where finished games are logged; empty keeps none.  [OUROBOROS_GAMES_DIR, data/games]"
)
@click.option("--margin-ms", type=click.IntRange(min=0), default=100, help="Kept of a time-out for the way.")
def serve(model: str | None, port: int, host: str, shadow: str | None, games_dir: str | None, margin_ms: int) -> None:
    """Serve MODEL, an ONNX file or the id of an exported model, over the Battlesnake API until told to stop.

    Example: ouroboros serve --port 8000
    """
    from pipeline.serve.game_log import GamesInHand, utc_now  # `ouroboros --help` should not load numba
    from pipeline.serve.onnx_model import OnnxModel
    from pipeline.serve.server import SnakeServer, games_folder, run_server

    settings = get_config()
    champion = OnnxModel(model_file(model, settings))
    challenger = OnnxModel(model_file(shadow, settings)) if shadow else None
    games = GamesInHand(games_folder(games_dir, settings.games_dir), utc_now)

    def make() -> SnakeServer:
        return SnakeServer(
            champion,
            games=games,
            now=utc_now,
            complain=lambda words: click.echo(words, err=True),
            challenger=challenger,
            shadow_folder=shadow_folder(settings),
            margin_ms=margin_ms,
        )

    name = champion.contract.model_id
    run_server(make, host, port, lambda at, number: click.echo(f"{name} answers on http://{at}:{number}", err=True))


@click.command("shadow-report")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
def shadow_report(folder: Path | None) -> None:
    """Tell how often challengers would have played what was played.

    Example: ouroboros shadow-report
    """
    from pipeline.serve.shadow_report import report_shadows

    for report in report_shadows(folder or shadow_folder(get_config())):
        click.echo(
            f"{report.challenger} beside {report.champion}: the same move in {report.agreement:.1%} of"
            f" {report.positions} positions (95 %: {report.low:.1%} to {report.high:.1%}) of {report.games} games;"
            f" {report.heuristic_positions} answered by the heuristic, {report.dropped} dropped,"
            f" {report.unreadable_lines} lines unreadable"
        )


def production_dir(settings: Settings) -> Path:
    """Return where models are exported to unless another folder is named."""
    return settings.models_dir / "production"


def shadow_folder(settings: Settings) -> Path:
    """Return where shadow moves are written."""
    return settings.pipeline_dir / "shadow"


def model_file(model: str | None, settings: Settings) -> Path:
    """Return the ONNX file of `model`: a path, the id of an exported model, or None for the exported champion.

    Raises:
        ModelError: there is no such file, and no exported model of this id.
    """
    folder = production_dir(settings)
    if model is None:
        return folder / CHAMPION_FILE
    if Path(model).is_file() or model.endswith(".onnx"):
        return Path(model)
    from pipeline.serve.contract import read_contract

    exported = sorted(folder.glob("**/*.onnx"))
    for path in exported:
        if read_contract(path).model_id == model:
            return path
    raise ModelError(
        f"no exported model is called {model!r}",
        where=str(folder),
        remedy=f"Export it first, or name an ONNX file; {len(exported)} are there.",
    )
