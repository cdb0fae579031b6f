"""`ouroboros play`: its command line."""

from pathlib import Path
from secrets import randbits

import click

from pipeline.referee.schedule import FAILURE_LIMIT, MatchConditions, RuleNumbers
from schemas.errors import BadInputError


@click.command("play")
@click.option("--url", "urls", multiple=True, metavar="URL", help="A running snake; may be repeated.")
@click.option(
    "--snake-dir", "folders", multiple=True, type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of a snake, to be built and started; may be repeated. These sit behind the --url snakes.",
)  # fmt: skip
@click.option("--name", "names", multiple=True, metavar="NAME",
              help="Of a snake; may be repeated, in their order: first --url, then --snake-dir.")  # fmt: skip
@click.option("--build-command", "builds", multiple=True, metavar="COMMAND",
              help="Builds a folder's snake; {output} is the binary to write; empty: nothing is built. Default: "
              "go build -o {output} . Once for all folders, or once for each.")  # fmt: skip
@click.option("--run-command", "runs", multiple=True, metavar="COMMAND",
              help="Starts a folder's snake; {binary}, {port} and {config} are filled in, PORT is in its environment. "
              "Default: {binary}. Once for all folders, or once for each.")  # fmt: skip
@click.option(
    "--gauntlet", is_flag=True, help="The first snake in duels against each of the others, --games with each."
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option(
    "--games",
    default=100,
    show_default=True,
    type=click.IntRange(1, 1_000_000),
    help="Games; rounded up to whole pairs.",
)
@click.option("--seed", type=click.IntRange(0), help="Of all games; default: a fresh one, which is printed.")
@click.option("--ruleset", default="standard", show_default=True)
@click.option("--map", "map_id", default="standard", show_default=True)
@click.option("--width", default=11, show_default=True)
@click.option("--height", default=11, show_default=True)
@click.option("--food-spawn-chance", default=15, show_default=True, help="Percent.")
@click.option("--minimum-food", default=1, show_default=True)
@click.option("--hazard-damage", default=14, show_default=True)
@click.option("--shrink-every", default=25, show_default=True, help="Turns between royale's new hazards.")
@click.option("--timeout-ms", default=500, show_default=True)
@click.option("--max-turns", default=1000, show_default=True)
@click.option("--games-at-once", type=click.IntRange(1, 4096), help="Default: four per core.")
@click.option("--failure-limit", default=FAILURE_LIMIT, show_default=True, type=click.FloatRange(0, 1),
              help="Share of games with time-outs or crashes above which nothing is scored.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Draw the board of a game while it is played; one game at once by "
              "default. Where the dashboard runs, games are kept for it.")  # fmt: skip
@click.option("--replay-dir", type=click.Path(path_type=Path, file_okay=False), help="Keep every game here.")
def play(
    urls: tuple[str, ...],
    folders: tuple[Path, ...],
    names: tuple[str, ...],
    builds: tuple[str, ...],
    runs: tuple[str, ...],
    gauntlet: bool,
    form: str,
    games: int,
    seed: int | None,
    ruleset: str,
    map_id: str,
    width: int,
    height: int,
    food_spawn_chance: int,
    minimum_food: int,
    hazard_damage: int,
    shrink_every: int,
    timeout_ms: int,
    max_turns: int,
    games_at_once: int | None,
    failure_limit: float,
    watch: bool,
    replay_dir: Path | None,
) -> None:
    """Play games between snakes, every seed from every seat, and show who won and why snakes died.

    The score by pairs is the tuner's: the share of the others that a snake outlived, a draw half, and no win by
    another's time-out. The games of one seed count as one trial.

    Example: ouroboros play --url http://127.0.0.1:8000 --url http://127.0.0.1:8001
    """
    # Only now: the list of all commands must not load the engine and scipy.
    from pipeline.referee.play_command import PlayRequest, play_games

    if not urls and not folders:
        raise BadInputError("no snake to play with", where="the command line", remedy="Give --url or --snake-dir.")
    if gauntlet and len(urls) + len(folders) < 2:
        raise BadInputError("a gauntlet of one snake", where="--gauntlet", remedy="Give the opponents too.")
    numbers = RuleNumbers(food_spawn_chance, minimum_food, hazard_damage, shrink_every)
    play_games(
        PlayRequest(
            urls,
            folders,
            names,
            builds,
            runs,
            MatchConditions(width, height, ruleset, map_id, numbers, timeout_ms, max_turns),
            games=games,
            seed=randbits(48) if seed is None else seed,
            games_at_once=games_at_once,
            failure_limit=failure_limit,
            replay_dir=replay_dir,
            gauntlet=gauntlet,
            as_json=form == "json",
            watch=watch,
        )
    )
