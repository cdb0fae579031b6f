"""`ouroboros leaf-eval`: its command lines."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from schemas.settings import Settings, get_config

if TYPE_CHECKING:
    from pipeline.leaf_eval.games import StoredGames

_FILE = "leaf.eval"


@click.group("leaf-eval")
def leaf_eval() -> None:
    """A small network that helps the searching snakes to value positions: play, fit, measure.

    Both snakes take the file: the Go snake by -eval FILE, the Rust one by --eval FILE.

    Example: ouroboros leaf-eval fit
    """


@leaf_eval.command("play")
@click.option("--games", default=1000, show_default=True, type=click.IntRange(1),
              help="About so many more, half of them duels and half of four snakes.")  # fmt: skip
def play(games: int) -> None:
    """Let your Go snake play itself and keep the games, on all cores but one, nicely stopped by Ctrl+C.

    Example: ouroboros leaf-eval play --games 2000
    """
    from pipeline.ladder.snake_analysis import our_analyser
    from pipeline.leaf_eval.games import play_games
    from pipeline.stopping import Stopping

    settings, stopping = get_config(), Stopping()
    analyser = our_analyser(settings)
    with stopping.on_signals():
        played = play_games(_store(settings), analyser, games, stopping, click.echo)
    click.echo(f"✓ {played} games were added to {_store(settings).folder}")


@leaf_eval.command("fit")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False),
              help=f"The file to write.  [default: leaf_eval/{_FILE} in the state folder]")  # fmt: skip
@click.option("--hand-share", default=1.0, show_default=True, type=click.FloatRange(0, 1),
              help="Of the snake's own evaluation, which the network is then fitted to help.")  # fmt: skip
@click.option("--duel-share", default=0.5, show_default=True, type=click.FloatRange(0, 1),
              help="Of what was fitted for duels: less is more cautious.")  # fmt: skip
@click.option("--crowd-share", default=0.0, show_default=True, type=click.FloatRange(0, 1),
              help="The same among more than two snakes; 0: the snake's own evaluation alone.")  # fmt: skip
@click.option("--outcome-share", default=0.0, show_default=True, type=click.FloatRange(0, 1),
              help="Of the game's outcome in what is foretold; the rest is the search's value.")  # fmt: skip
@click.option("--epochs", default=6, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
def fit(
    out: Path | None,
    hand_share: float,
    duel_share: float,
    crowd_share: float,
    outcome_share: float,
    epochs: int,
    seed: int,
) -> None:
    """Fit the network to the kept games and measure it on every tenth of them, which it was not fitted to.

    Example: ouroboros leaf-eval fit --out mine.eval
    """
    from pipeline.ladder.snake_analysis import our_analyser
    from pipeline.leaf_eval.dataset import read_dataset
    from pipeline.leaf_eval.fit_run import fit_evaluation
    from pipeline.leaf_eval.fitting import FitSettings

    settings = get_config()
    dataset = read_dataset(_store(settings), our_analyser(settings))
    wanted = FitSettings(hand_share, duel_share, crowd_share, outcome_share, epochs, seed=seed)
    fitted = fit_evaluation(dataset, wanted, click.echo)
    click.echo(fitted.text())
    path = out or settings.leaf_eval_dir / _FILE
    fitted.evaluation.save(path)
    click.echo(f"✓ {path}: fitted to {dataset.games:,} games, seed {seed}. Try it by games before you deploy it.")


@leaf_eval.command("measure")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def measure(file: Path) -> None:
    """Say how well a fitted file foretells the outcomes of the kept games that nothing was fitted to.

    Example: ouroboros leaf-eval measure mine.eval
    """
    from pipeline.ladder.snake_analysis import our_analyser
    from pipeline.leaf_eval.dataset import read_dataset
    from pipeline.leaf_eval.fit_run import measure_evaluation
    from pipeline.leaf_eval.network import load

    settings = get_config()
    dataset = read_dataset(_store(settings), our_analyser(settings))
    click.echo(measure_evaluation(load(file, dataset.legend), dataset).text())


def _store(settings: Settings) -> "StoredGames":
    from pipeline.leaf_eval.games import StoredGames

    return StoredGames(settings.leaf_eval_dir / "games")
