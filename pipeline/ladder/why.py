"""Why did it die: the last turns of a lost game, thought over by our snake."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping

from pipeline.ladder.game_files import FilePlace, read_line
from pipeline.ladder.reading import AskedTurn, asked_turns
from pipeline.ladder.snake_analysis import SnakeAnalyser, our_analyser
from schemas.errors import DataError
from schemas.game import GameLog
from schemas.ladder import GameWhy, TurnThoughts
from schemas.settings import Settings


def explain(settings: Settings, row: RowMapping, turns: int, now: datetime) -> GameWhy:
    """Think over the last turns of a kept game that was lost.

    Args:
        row: of `arena_games`.
        turns: before the death, at most.

    Raises:
        MachineError: its line cannot be read, or our snake not be built.
        SnakeError: our snake cannot be asked.
        DataError: the game's boards have gaps.
    """
    log = read_line(settings.games_dir, FilePlace(row["file"], row["offset_bytes"], row["length_bytes"]))
    analyser = our_analyser(settings)
    return think_over(log, row, analyser, settings.arena.explain_budget, turns, now)


def think_over(
    log: GameLog, row: RowMapping, analyser: SnakeAnalyser, budget: int, turns: int, now: datetime
) -> GameWhy:
    """Return what the snake says of the last turns."""
    try:
        asked = list(asked_turns(log))[-turns:]
    except ValueError as error:
        raise DataError(f"its boards cannot be followed: {error}", where=f"game {log.game_id}") from error
    if not asked:
        raise DataError("our snake is on none of its boards", where=f"game {log.game_id}")
    found = _thoughts(asked, analyser, budget, row["last_move"] or "")
    chance = next((turn for turn in reversed(found) if turn.other_holding), None)
    cause, killer = row["cause"] or "", row["killed_by"] or ""
    return GameWhy(
        game_id=log.game_id,
        snake=log.snakes[log.you].name,
        died_on=asked[-1].turn + 1,
        cause=cause,
        killed_by=killer,
        budget=budget,
        weights_sha256=analyser.weights_sha256,
        made_at=now,
        turns=found,
        last_chance=chance.turn if chance else None,
        verdict=_verdict(log, found, chance, cause, killer),
    )


def _thoughts(asked: Sequence[AskedTurn], analyser: SnakeAnalyser, budget: int, last_move: str) -> list[TurnThoughts]:
    thoughts = analyser.think([turn.request for turn in asked], budget)
    return [
        TurnThoughts(
            turn=turn.turn,
            played=turn.played or (last_move if turn is asked[-1] else ""),
            chosen=thought.chosen,
            depth=thought.depth,
            positions=thought.positions,
            moves=thought.moves,
        )
        for turn, thought in zip(asked, thoughts, strict=True)
    ]


def _verdict(log: GameLog, found: Sequence[TurnThoughts], chance: TurnThoughts | None, cause: str, killer: str) -> str:
    name = log.snakes[log.you].name
    how = f" ({cause}{f', by {killer}' if killer and killer != name else ''})" if cause else ""
    died = f"{name} died on turn {found[-1].turn + 1}{how}."
    if chance is None:
        return f"{died} No other move held on any of the {len(found)} turns before."
    held = " and ".join(f"{move.move} ({move.depth} turns ahead)" for move in chance.other_holding)
    now = "the same" if chance.chosen == chance.played else chance.chosen
    played = f"it played {chance.played}" if chance.played else "its move is not known"
    return f"{died} The last chance was turn {chance.turn}: {played}, where {held} held; it would now play {now}."
