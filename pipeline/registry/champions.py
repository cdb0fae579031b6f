"""The champions that can be gone back to, from the history of events. Pure."""

from collections.abc import Iterable

from schemas.model import ModelEvent, ModelEventKind


def succession(events: Iterable[ModelEvent]) -> list[str]:
    """Ids of the champions that lead to the present one, which is last; the one before it is where a roll-back goes.

    A roll-back takes those off that came after its target; who was retired by hand is gone back to no more.

    Args:
        events: all of them, oldest first.
    """
    line: list[str] = []
    for event in events:
        if event.kind is ModelEventKind.PROMOTED:
            line.append(event.model_id)
        elif event.kind is ModelEventKind.ROLLED_BACK:
            while line and line[-1] != event.model_id:
                line.pop()
        elif event.kind is ModelEventKind.RETIRED:
            line = [model_id for model_id in line if model_id != event.model_id]
    return [model_id for place, model_id in enumerate(line) if place == 0 or line[place - 1] != model_id]
