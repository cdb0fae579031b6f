"""Shadow mode: what a challenger would have played, asked after the answer is given, and written down.

One JSON object a line, in `<challenger>-YYYYMMDD.jsonl`: see `schemas.shadow.ShadowMove`.
"""

import contextlib
import os
import queue
import re
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from pipeline.engine.layout import MOVE_WORDS
from pipeline.engine.observe import Observations
from pipeline.serve.game_log import append_line
from pipeline.serve.onnx_model import Evaluated, OnnxModel, best_moves
from pipeline.serve.policy import ChosenMove, logits_of
from pipeline.serve.request_decoding import legal_moves
from schemas.shadow import SHADOW_SUFFIX, ShadowMove

MOST_WAITING: Final = 256
"""Positions waiting for the challenger; one more is dropped, counted and told."""
_LINES: Final = 64
_PATIENCE_S: Final = 1.0
_NICENESS: Final = 15


class _Position(NamedTuple):
    game_id: str
    turn: int
    played: int
    said: Evaluated | None
    rows: Observations


class Shadow:
    """Asks the challenger on a thread of the lowest standing, so that answers are never held up by it."""

    def __init__(
        self,
        challenger: OnnxModel,
        folder: Path,
        *,
        champion_id: str,
        now: Callable[[], datetime],
        complain: Callable[[str], None],
    ) -> None:
        """Start the thread; `folder` is made if it is not there.

        Raises:
            OSError: the folder cannot be made.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._challenger: Final = challenger
        self._folder: Final = folder
        self._champion_id: Final = champion_id
        self._now: Final = now
        self._complain: Final = complain
        self._waiting: Final[queue.Queue[_Position | None]] = queue.Queue(MOST_WAITING)
        self._lines: Final[list[bytes]] = []
        self._told = 0
        self.asked = self.agreed = self.dropped = 0
        self._thread: Final = threading.Thread(target=self._work, name="shadow", daemon=True)
        self._thread.start()

    def offer(self, decision: ChosenMove) -> None:
        """Hand over a position that was answered; dropped where too many wait, or the challenger cannot see it."""
        if decision.asked is None or decision.rows is None:
            return
        asked = decision.asked
        position = _Position(asked.game_id, asked.turn, decision.move, decision.said, decision.rows)
        try:
            self._waiting.put_nowait(position)
        except queue.Full:
            self.dropped += 1

    def close(self, grace_s: float) -> str:
        """Ask about what waits still, for at most `grace_s`; return a summary in words."""
        with contextlib.suppress(queue.Full):
            self._waiting.put(None, timeout=grace_s)
        self._thread.join(grace_s)
        share = f"{self.agreed / self.asked:.1%}" if self.asked else "none"
        left = self._waiting.qsize()
        return (
            f"shadow {self._challenger.contract.model_id}: asked about {self.asked} positions, agreed on {share};"
            f" {self.dropped} dropped because too many waited, {left} left unasked"
        )

    def _work(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        while True:
            try:
                position = self._waiting.get(timeout=_PATIENCE_S)
            except queue.Empty:
                self._write()
                continue
            if position is None:
                break
            self._ask(position)
            if len(self._lines) >= _LINES:
                self._write()
        self._write()

    def _ask(self, position: _Position) -> None:
        said = self._challenger.look(position.rows)
        move = int(best_moves(said.policy_logits, legal_moves(position.rows))[0])
        dropped, self._told = self.dropped - self._told, self.dropped
        line = ShadowMove(
            champion=self._champion_id,
            challenger=self._challenger.contract.model_id,
            game_id=position.game_id,
            turn=position.turn,
            played=MOVE_WORDS[position.played],
            shadow=MOVE_WORDS[move],
            agree=move == position.played,
            played_logits=logits_of(position.said),
            played_value=None if position.said is None else float(position.said.value[0, 0]),
            shadow_logits=logits_of(said) or [],
            shadow_value=float(said.value[0, 0]),
            dropped_before=dropped,
        )
        self._lines.append(line.model_dump_json().encode() + b"\n")
        self.asked += 1
        self.agreed += move == position.played

    def _write(self) -> None:
        if not self._lines:
            return
        name = re.sub(r"[^A-Za-z0-9._-]", "_", self._challenger.contract.model_id)[:64].lstrip(".") or "challenger"
        try:
            append_line(self._folder / f"{name}-{self._now():%Y%m%d}{SHADOW_SUFFIX}", b"".join(self._lines))
        except OSError as error:
            self._complain(f"{len(self._lines)} shadow moves were not written: {error}")
        self._lines.clear()
