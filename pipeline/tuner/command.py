"""`ouroboros tune`: the trainer from the command line."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from schemas.settings import get_config
from schemas.tuning import MOST_GAMES, AcceptRule, BackendChoice, Objective, SearchKind, Wanted


@click.group("tune", invoke_without_command=True, context_settings={"show_default": True})
@click.option("--games", type=int, help="Games between two commits of the gate.  [default: 30]")
@click.option("--checkpoint-interval", type=int, help="Write checkpoint.json every N iterations.  [default: 10]")
@click.option("--max-iterations", type=int, help="Stop after N iterations of the campaign.  [default: never]")
@click.option("--min-improvement", type=float, help="Gain that does not count yet.  [default: 0.001 = 0.1%]")
@click.option("--target-improvement", type=float, help="Gain the test is built to find.  [default: 0.03 = 3%]")
@click.option("--baseline-games", type=int, help="Games that measure the start.  [default: 50]")
@click.option("--max-games", type=int, help="Give a candidate up after so many games.  [default: 10000]")
@click.option("--measure-games", type=int, help="Unseen games that measure a promotion.  [default: 400]")
@click.option("--accept", type=click.Choice([rule.value for rule in AcceptRule]), help="Rule.  [default: sprt]")
@click.option("--search", help=f"{', '.join(SearchKind)}, or module:Class of your own.  [default: spsa]")
@click.option("--objective", type=click.Choice([kind.value for kind in Objective]), help="Games.  [default: duel]")
@click.option("--objectives", help=f"{', '.join(Wanted)}; several, by commas, give a Pareto front.  [default: score]")
@click.option("--backend", type=click.Choice([kind.value for kind in BackendChoice]), help="Player.  [default: auto]")
@click.option("--perturbation", type=float, help="Relative size of a random change.  [default: 0.15]")
@click.option("--snake-dir", type=click.Path(path_type=Path), help="Folder of the snake.  [default: the bundled one]")
@click.option("--build-command", help="Builds it; {output} is the binary.  [default: go build -o {output} .]")
@click.option("--run-command", help="Starts it; {binary}, {port} and {config} are filled in.  [default: {binary}]")
@click.option("--config-file", help="The weights, relative to the snake's folder.  [default: config.yaml]")
@click.option("--weight-spec", type=click.Path(path_type=Path), help="Overrides of kinds, bounds and steps.")
@click.option("--opponent", "opponents", multiple=True, help="URL, folder or weights file; may be repeated.")
@click.option("--pool", multiple=True, help="A snake that a candidate must not get worse against; may be repeated.")
@click.option("--parallel-games", type=int, help="Games at once.  [default: by cores]")
@click.option("--timeout-ms", type=int, help="The API's time-out for a move.  [default: 500]")
@click.option("--seed", type=int, help="Seed of a new campaign.  [default: drawn, and kept]")
@click.option("--remeasure", is_flag=True, help="Measure the best configuration anew first.")
@click.pass_context
def tune(context: click.Context, /, *, remeasure: bool, **given: Any) -> None:
    """Improve a snake's weights by real games until stopped; resumes where it left off.

    Example: ouroboros tune --max-iterations 100
    """
    if context.invoked_subcommand is not None:
        return
    from pipeline.tuner.continuous import ContinuousTrainer, with_changes  # `ouroboros --help` should not load scipy

    settings = get_config()
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    changes |= {name: list(given[name]) for name in ("opponents", "pool") if given[name]}
    if given["objectives"]:
        changes["objectives"] = [name.strip() for name in given["objectives"].split(",")]
    settings = settings.model_copy(update={"tuner": with_changes(settings.tuner, changes)})
    ContinuousTrainer(settings=settings, remeasure=remeasure, echo=_say).train()


@tune.command("update-snake")
@click.option("--yes", is_flag=True, help="Write it without asking.")
def update_snake(*, yes: bool) -> None:
    """Bring a newer bundled snake into your working copy: shows the difference, keeps tuned weights and edits.

    Example: ouroboros tune update-snake
    """
    from pipeline.tuner.snake_update import plan_update

    update = plan_update(get_config())
    for name in update.kept:
        click.echo(f"{update.folder / name} stays as you changed it; the bundled one is put beside it.")
    difference = update.difference()
    if not difference:
        update.apply()  # only the note of what was compared
        click.echo(f"Nothing to update in {update.folder}.")
        return
    click.echo(difference)
    if yes or click.confirm("Write this?"):
        update.apply()
        click.echo(f"{update.folder} is up to date.")


@tune.command("report")
@click.argument("run", required=False)
def report(run: str | None) -> None:
    """Write RUN's report (default: the newest run's) and show it in short; also while it runs.

    Example: ouroboros tune report
    """
    from pipeline.tuner.report import from_ledger
    from pipeline.tuner.report.terminal import text_report
    from pipeline.tuner.weights_on_disk import opened_run

    folder, now = get_config().tuner_dir, datetime.now(UTC)
    with opened_run(folder, run) as (book, name):
        page = from_ledger.write(book, name, folder, now)
        click.echo(text_report(from_ledger.report_of(book, name, now)) + f"\n{page}")


@tune.command("apply")
@click.argument("run", required=False)
@click.option("--member", help="One of the run's Pareto front, as its report names it.")
def apply(run: str | None, member: str | None) -> None:
    """Put the best weights of RUN (default: the newest run) into the snake's file; what stood there is kept.

    Example: ouroboros tune apply
    """
    from pipeline.tuner import weights_on_disk

    click.echo(weights_on_disk.put_back(get_config().tuner_dir, run, weights_on_disk.Which.BEST, member))


@tune.command("revert")
@click.argument("run", required=False)
def revert(run: str | None) -> None:
    """Put the weights that RUN (default: the newest run) began from into the snake's file; what stood there is kept.

    Example: ouroboros tune revert
    """
    from pipeline.tuner import weights_on_disk

    click.echo(weights_on_disk.put_back(get_config().tuner_dir, run, weights_on_disk.Which.FIRST))


@tune.command("verify")
@click.argument("run", required=False)
def verify_run(run: str | None) -> None:
    """Decide RUN (default: the newest run) again from its games alone: it must come to the same.

    Example: ouroboros tune verify
    """
    from pipeline.tuner.verify import verify
    from pipeline.tuner.weights_on_disk import opened_run

    with opened_run(get_config().tuner_dir, run) as (book, name):
        found = verify(book, name)
    click.echo(found.words())
    if found.disagreement:
        raise SystemExit(1)


@tune.command("replay")
@click.argument("run")
@click.argument("job")
@click.argument("number", type=click.IntRange(0))
@click.option("--turn", type=click.IntRange(0), help="Default: the last.")
@click.option("--as-log", is_flag=True, help="Write it as a line of the game log instead.")
def replay(run: str, job: str, number: int, turn: int | None, as_log: bool) -> None:
    """Play a game of the tuner or of a tournament again, and draw one of its boards in the terminal.

    RUN is the tuner's run or the tournament's name, JOB and NUMBER are those of the game in its ledger; the pages name
    them. The snake is built and plays the same seed with the same weights; a game that comes out otherwise (the
    snake's code changed, or it looks at the clock) is not shown.

    Example: ouroboros tune replay run_20261121_231702 gate-3 0 --turn 40
    """
    from rich.console import Console

    from pipeline.data.game_showing import FoundGame, drawn
    from pipeline.tuner.replaying import game_again

    log = game_again(get_config(), run, job, number)
    if as_log:
        sys.stdout.write(log.to_line())
        return
    Console(highlight=False).print(drawn(FoundGame(log, None).shown(), turn, ""))


@tune.command("screen")
@click.option("--seeds", type=click.IntRange(1), default=2, show_default=True, help="Boards of each weight's games.")
@click.option("--snake-dir", type=click.Path(path_type=Path), help="Folder of the snake.  [default: the bundled one]")
def screen(*, seeds: int, snake_dir: Path | None) -> None:
    """Find by games which weights have no effect, and name them: each is moved to both ends of its bounds.

    Example: ouroboros tune screen
    """
    from pipeline.tuner.continuous import with_changes
    from pipeline.tuner.screen import summary
    from pipeline.tuner.screen_run import run_screen

    settings = get_config()
    if snake_dir is not None:
        settings = settings.model_copy(update={"tuner": with_changes(settings.tuner, {"snake_dir": snake_dir})})
    effects = run_screen(settings, _say, seeds=seeds)
    click.echo("Stopped; the same command goes on." if effects is None else summary(effects))


def _say(message: str) -> None:
    click.echo(message)
    sys.stdout.flush()


@click.command("tournament", context_settings={"show_default": True})
@click.argument("snakes", nargs=-1, required=True, metavar="SNAKE...")
@click.option("--format", "form", type=click.Choice(["round-robin", "gauntlet", "swiss"]), default="round-robin")
@click.option("--games", type=click.IntRange(2, MOST_GAMES), default=100, help="Games of each pairing.")
@click.option("--seats", type=click.IntRange(2, 4), default=2, help="Snakes in a game; more than 2: round-robin.")
@click.option("--rounds", type=click.IntRange(1), help="Of a Swiss tournament.  [default: by the number of snakes]")
@click.option("--seed", type=click.IntRange(0, 2**62), default=1, help="Of boards and food.")
def tournament(*, snakes: tuple[str, ...], form: str, games: int, seats: int, rounds: int | None, seed: int) -> None:
    """Rate snakes by games: folders, URLs of running snakes (such as `ouroboros serve`'s), or weights files for the
    snake that is tuned. A gauntlet is the first one against all others. Stopped, the same command goes on.

    Example: ouroboros tournament automation/go-snake http://127.0.0.1:8000 --games 200
    """
    from pipeline.tuner.tournament_run import Format, TournamentRequest, run_tournament

    request = TournamentRequest(snakes, Format(form), games, seats, rounds, seed)
    table = run_tournament(get_config(), request, click.echo)
    if table is None:
        click.echo("Stopped before the first pairing was played.")
        return
    click.echo(table.cross_table())
    for row in table.standings:
        if row.failures:
            click.echo(f"{row.name} failed to answer in {row.failures} of {row.games} games.")
    click.echo(f"{table.games:,} games; Elo around the field's mean, with 95 % intervals.")
