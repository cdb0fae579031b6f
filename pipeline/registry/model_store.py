"""`ModelStore`: registered models, their weights, their champion and what was measured of them. No torch."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.engine.planes import ENCODER_ID
from pipeline.registry import transactions, weight_files
from pipeline.registry.database import RegistryDatabase
from pipeline.registry.tables import evaluations, models
from pipeline.registry.transactions import card_of, damaged_weights, evaluation_row, measured_by, of_another_encoder
from schemas.base import Frozen
from schemas.errors import ModelError
from schemas.model import EvaluationResult, Measured, ModelCard, ModelDraft, ModelEvent, ModelEventKind, ModelStatus
from schemas.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verified:
    """What `ModelStore.verify` found."""

    sound: Sequence[str]
    damaged: Mapping[str, str]
    """By model id: what is wrong with its file, or with its row."""
    orphans_removed: Sequence[str]
    """Files that no row names, left by a kill."""


class ModelStore:
    """Models as rows of the history's database and weights in the models folder. Several processes may use one.

    Every change is one transaction; a kill at any moment leaves at most a weights file without a row, which the same
    `put` adopts and others remove after an hour.

    Args:
        settings: database, waiting time, and the models folder.
        create: make the database, or bring it to this version, where that is needed.
        passing: called with the name of a point when it is passed; tests kill the process there.

    Raises:
        StateError: the database cannot be used.
    """

    def __init__(
        self, settings: Settings, *, create: bool = True, passing: Callable[[str], None] = lambda _point: None
    ) -> None:
        self.folder = settings.models_dir.absolute()
        self._database = RegistryDatabase(settings.database_url, settings.storage, create=create)
        self._passing = passing

    def put(self, draft: ModelDraft, weights: Mapping[str, np.ndarray]) -> ModelCard:
        """Register a model as a candidate. The same weights under the same name again: the card that is there (and
        its file, were it damaged, is made whole), so whoever was killed in between may simply repeat it.

        Args:
            draft: what is known of it.
            weights: every array of the network's state, by name, as its loader wants them back; any shape and dtype.

        Raises:
            ModelError: weights that are not finite, or a parent that is not registered.
            MachineError: the file cannot be written.
        """
        content = weight_files.content_of(draft, weights)
        sha256, parameters = weight_files.sha256_of(content), sum(int(array.size) for array in weights.values())
        model_id = weight_files.id_of(draft.name, sha256)
        if draft.parent_id is not None:
            self.card(draft.parent_id)
        file = f"{model_id}{weight_files.SUFFIX}"
        weight_files.write(self.folder, file, content)
        self._passing("file written")
        with self._database.write() as connection:
            registered = {"id": model_id, "sha256": sha256, "size_bytes": len(content), "parameters": parameters}
            card = transactions.enter(connection, draft, file, registered)
            self._passing("row written")
            if not (self.folder / file).exists():  # we slept for an hour, and it was taken for an orphan
                raise ModelError("its file was removed meanwhile", where=model_id, remedy="Register it again.")
        self._passing("committed")
        self._remove_orphans(draft.created_at)
        return card

    def get(self, model_id: str) -> tuple[ModelCard, dict[str, np.ndarray]]:
        """A model and its weights, by name, of the shapes and dtypes that were put in, after a look at the file's hash.

        Raises:
            ModelError: no such model; its file is gone or damaged (which is noted in its row); or it was trained on
                the planes of another encoder.
        """
        card = self.card(model_id)
        weights = weight_files.load(self.folder / card.weights_file, card.sha256, card.size_bytes)
        if isinstance(weights, str):
            self._note_damage(model_id, weights)
            raise damaged_weights(card, self.folder, weights)
        if card.damage is not None:
            self._note_damage(model_id, None)
            card = card.model_copy(update={"damage": None})
        if card.encoder_id != ENCODER_ID:
            raise of_another_encoder(card)
        return card, weights

    def card(self, model_id: str) -> ModelCard:
        """All that is known of a model, without its weights.

        Raises:
            ModelError: no such model.
        """
        with self._database.read() as connection:
            return transactions.card(connection, model_id)

    def list(
        self,
        *,
        status: ModelStatus | None = None,
        name: str | None = None,
        training_phase: str | None = None,
        architecture: str | None = None,
    ) -> Sequence[ModelCard]:
        """The models that fit all that is given, oldest first. A row that cannot be read is told in the log, and by
        `verify`; the others are listed."""
        given = {"status": status and status.value, "name": name}
        given |= {"training_phase": training_phase, "architecture": architecture}
        wanted = [models.c[column] == value for column, value in given.items() if value is not None]
        with self._database.read() as connection:
            rows = connection.execute(select(models).where(*wanted).order_by(models.c.created_at, models.c.id)).all()
        cards = []
        for row in rows:
            try:
                cards.append(card_of(row))
            except ModelError as error:
                _log.warning("Not listed: %s", error)
        return cards

    def champion(self) -> ModelCard | None:
        """The champion; None: no model was promoted yet."""
        with self._database.read() as connection:
            row = connection.execute(select(models).where(transactions.IS_CHAMPION)).one_or_none()
        return None if row is None else card_of(row)

    def promote(self, model_id: str, evidence: Frozen, now: datetime, *, instead_of: str | None = None) -> ModelCard:
        """Make a model the champion; the old one is retired. For the champion itself: nothing happens.

        Args:
            model_id: the new champion.
            evidence: why; kept with the step.
            now: the instant of the step.
            instead_of: the champion that the evidence was won against ("": there was none); another one by now, and
                the step is refused.

        Raises:
            ModelError: no such model, its file is damaged, it is of another encoder, or `instead_of` does not hold.
        """
        self._refuse_unusable(self.card(model_id))
        with self._database.write() as connection:
            before = transactions.champion_id(connection)
            if instead_of is not None and before not in (instead_of or None, model_id):
                raise ModelError(
                    f"the champion is {before} by now, no longer {instead_of or 'nobody'}",
                    where=model_id,
                    remedy="Test the model against the present champion.",
                )
            if before != model_id:
                words = transactions.evidence_text(evidence)
                transactions.crown(connection, model_id, ModelEventKind.PROMOTED, words, now, self._passing)
            card = transactions.card(connection, model_id)
        self._passing("committed")
        return card

    def roll_back(self, now: datetime, evidence: Frozen | None = None) -> ModelCard:
        """Make the champion before the present one champion again; those whose files are damaged are passed over.

        Raises:
            ModelError: there is no champion to go back to.
        """
        passed_over: dict[str, str] = {}
        with self._database.write() as connection:
            present = transactions.champion_id(connection)
            for model_id in reversed(transactions.succession(transactions.events(connection))[:-1]):
                card = transactions.card(connection, model_id)
                damage = self._damage_of(card)
                if damage is not None:
                    transactions.note_damage(connection, model_id, damage)
                    passed_over[model_id] = f"its weights are damaged: {damage}"
                elif card.encoder_id != ENCODER_ID:
                    passed_over[model_id] = f"it was trained on the planes of encoder {card.encoder_id}"
                else:
                    words = transactions.evidence_text(
                        evidence, **({"passed_over": passed_over} if passed_over else {})
                    )
                    transactions.crown(connection, model_id, ModelEventKind.ROLLED_BACK, words, now, self._passing)
                    return transactions.card(connection, model_id)
        told = "".join(f" Passed over {model_id}: {why}." for model_id, why in passed_over.items())
        raise ModelError(
            f"there is no champion before {present or 'the first'} to go back to",
            where=self._database.where,
            remedy=f"Promote a model by its id.{told}",
        )

    def set_aside_champion(self, now: datetime, evidence: Frozen) -> None:
        """Take a champion out of service that cannot be used: the newest sound one before it becomes champion again;
        without one there is none."""
        try:
            self.roll_back(now, evidence)
        except ModelError:
            with self._database.write() as connection:
                transactions.dethrone(connection, transactions.evidence_text(evidence), now)

    def champion_id(self) -> str | None:
        """The champion's id, whatever its row holds besides; None: there is none."""
        with self._database.read() as connection:
            return transactions.champion_id(connection)

    def retire(self, model_id: str, now: datetime, evidence: Frozen | None = None) -> ModelCard:
        """Take a model out of service: no roll-back goes to it any more. Its files stay.

        Raises:
            ModelError: no such model, or it is the champion.
        """
        return self._leave(model_id, ModelEventKind.RETIRED, evidence, now)

    def reject(self, model_id: str, evidence: Frozen, now: datetime) -> ModelCard:
        """Note that a candidate was tested and not promoted.

        Raises:
            ModelError: no such model, or it is the champion.
        """
        return self._leave(model_id, ModelEventKind.REJECTED, evidence, now)

    def note_return(self, model_id: str, evidence: Frozen, now: datetime) -> None:
        """Note that a learner took over the weights of this model; no model's status changes.

        Raises:
            ModelError: no such model.
        """
        with self._database.write() as connection:
            transactions.card(connection, model_id)
            transactions.tell(
                connection, ModelEventKind.RETURNED_TO, model_id, None, transactions.evidence_text(evidence), now
            )

    def lineage(self, model_id: str) -> Sequence[ModelCard]:
        """The model, its parent, and so on to the first.

        Raises:
            ModelError: no such model.
        """
        line: list[ModelCard] = []
        with self._database.read() as connection:
            following: str | None = model_id
            while following is not None and following not in {card.id for card in line}:
                line.append(transactions.card(connection, following))
                following = line[-1].parent_id
        return line

    def events(self, model_id: str | None = None) -> Sequence[ModelEvent]:
        """The history of champions, oldest first; of one model, or of all."""
        with self._database.read() as connection:
            return [
                event
                for event in transactions.events(connection)
                if model_id in (None, event.model_id, event.previous_id)
            ]

    def add_evaluation(self, result: EvaluationResult) -> bool:
        """Keep a measurement, and bring the model's card up to date. False: the same games are there already."""
        with self._database.write() as connection:
            try:
                with connection.begin_nested():
                    connection.execute(insert(evaluations).values(evaluation_row(result)))
            except IntegrityError:
                return False
            card = transactions.find_card(connection, result.model_id)
            if card is not None:
                measured = card.measured | measured_by(result)
                transactions.change_draft(connection, card.model_copy(update={"measured": measured}))
        return True

    def note_measured(self, model_id: str, measured: Mapping[str, Measured]) -> ModelCard:
        """Put what was measured otherwise than by an evaluation's games (speed, memory) on the model's card.

        Raises:
            ModelError: no such model.
        """
        with self._database.write() as connection:
            card = transactions.card(connection, model_id)
            changed = card.model_copy(update={"measured": card.measured | dict(measured)})
            transactions.change_draft(connection, changed)
            return changed

    def evaluations(self, model_id: str | None = None) -> Sequence[EvaluationResult]:
        """Measurements, oldest first; of one model, or of all."""
        query = select(evaluations.c.evaluation_json).order_by(evaluations.c.evaluated_at, evaluations.c.id)
        if model_id is not None:
            query = query.where(evaluations.c.model_id == model_id)
        with self._database.read() as connection:
            return [EvaluationResult.model_validate_json(text) for text in connection.execute(query).scalars()]

    def verify(self, now: datetime) -> Verified:
        """Read every file and compare its hash; note damage, or that it is gone again, in the rows."""
        sound: list[str] = []
        damaged: dict[str, str] = {}
        with self._database.read() as connection:
            rows = connection.execute(select(models).order_by(models.c.created_at, models.c.id)).all()
        for row in rows:
            found = weight_files.damage_of(self.folder / row.weights_file, row.sha256, row.size_bytes)
            if found != row.damage:
                self._note_damage(row.id, found)
            try:
                card_of(row)
            except ModelError as error:
                found = str(error)
            if found is None:
                sound.append(row.id)
            else:
                damaged[row.id] = found
        return Verified(sound, damaged, self._remove_orphans(now))

    def _leave(self, model_id: str, kind: ModelEventKind, evidence: Frozen | None, now: datetime) -> ModelCard:
        with self._database.write() as connection:
            card = transactions.card(connection, model_id)
            return transactions.leave(connection, card, kind, transactions.evidence_text(evidence), now)

    def _damage_of(self, card: ModelCard) -> str | None:
        return weight_files.damage_of(self.folder / card.weights_file, card.sha256, card.size_bytes)

    def _refuse_unusable(self, card: ModelCard) -> None:
        damage = self._damage_of(card)
        if damage is not None:
            self._note_damage(card.id, damage)
            raise damaged_weights(card, self.folder, damage)
        if card.encoder_id != ENCODER_ID:
            raise of_another_encoder(card)

    def _note_damage(self, model_id: str, damage: str | None) -> None:
        with self._database.write() as connection:
            transactions.note_damage(connection, model_id, damage)

    def _remove_orphans(self, before: datetime) -> Sequence[str]:
        # Under the writer's lock: nobody can give a row to a file between our look and its removal.
        with self._database.write() as connection:
            named = set(connection.execute(select(models.c.weights_file)).scalars())
            lost = weight_files.orphans(self.folder, named, before)
            for path in lost:
                path.unlink(missing_ok=True)
        return [path.name for path in lost]
