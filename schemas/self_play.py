"""How a network improves by playing: proximal policy optimisation (PPO) against a league."""

from pydantic import Field

from schemas.base import Adjustable, Frozen


class OpponentShare(Frozen):
    """How often a kind of compiled heuristic sits opposite."""

    kind: str
    weight: float = Field(gt=0)


class SelfPlaySettings(Adjustable):
    """PPO (Schulman et al. 2017) with generalised advantage estimation, and the league it plays."""

    environments: int = Field(default=256, ge=1)
    """Games played side by side."""
    rollout_turns: int = Field(default=16, ge=1)
    """Turns of every game between two updates."""
    rollout_parts: int | None = Field(default=None, ge=1)
    """Into how many parts the games side by side are cut, each played by one core: of this machine, or of any other in
    its cluster where the learner computes on a CPU. What is learned depends on this number and not on who plays. None:
    one part for each thread of this machine, all played here."""
    update_epochs: int = Field(default=2, ge=1)
    """Passes over a rollout."""
    discount: float = Field(default=0.995, gt=0, le=1)
    """What a reward one turn later is worth."""
    gae_lambda: float = Field(default=0.95, ge=0, le=1)
    """Lambda of generalised advantage estimation."""
    clip_range: float = Field(default=0.2, gt=0, lt=1)
    """By how much PPO lets a move's probability change in one update."""
    entropy_weight: float = Field(default=0.003, ge=0)
    """The weight of the policy's entropy in the loss."""
    value_weight: float = Field(default=0.5, ge=0)
    """The weight of the value's error in the loss."""
    target_kl: float = Field(default=0.03, gt=0)
    """An update's remaining passes are left out once the policy moved farther than this."""
    crowd_share: float = Field(default=0.5, ge=0, le=1)
    """Share of four-player games at the end of the curriculum; it begins with duels only."""
    crowd_from: float = Field(default=0.3, ge=0, le=1)
    """Share of the phase after which four-player games begin to be mixed in."""
    past_selves: int = Field(default=8, ge=0)
    """Earlier snapshots kept in the league as opponents."""
    past_champions: int = Field(default=4, ge=0)
    """Champions kept in the league as opponents, the newest ones."""
    snapshot_every_updates: int = Field(default=50, ge=1)
    """How often the network joins its own opponents."""
    table_every_updates: int = Field(default=16, ge=1)
    """Updates after which another frozen network (a past self or champion) takes one of the two places at the table."""
    updates_per_cycle: int = Field(default=100, ge=1)
    """Updates of one cycle of continuous learning, after which it is judged."""
    curriculum_updates: int = Field(default=1000, ge=1)
    """Updates of a continuous learner's life in which its curriculum (teacher, four-player games, heuristics) comes to
    its end, where it stays. In a self-play phase the phase's own length drives it."""
    return_to_champion_after: int | None = Field(default=None, ge=1)
    """Refused cycles in a row after which a continuous learner takes over the champion's weights; None: never, it goes
    on from its own."""
    turn_limit: int = Field(default=500, ge=1)
    """Games are cut there and valued by the network, so that endless circling earns nothing."""
    past_self_share: float = Field(default=0.2, ge=0, le=1)
    """How often a game's opponents are past selves and past champions, of the games that no heuristic sits in."""
    teacher: str | None = "strong"
    """A heuristic, or `go_snake` (the bundled Go snake), that says what it would have played in some of the learner's
    positions: the policy is drawn towards it while `teacher_weight` lasts. None: nobody."""
    teacher_share: float = Field(default=1.0, ge=0, le=1)
    """Share of the games in which the teacher is asked."""
    teacher_weight: float = Field(default=1.0, ge=0)
    """Weight of the teacher's cross-entropy beside PPO's loss at the start; it falls to 0 in a straight line."""
    teacher_until: float = Field(default=0.3, gt=0, le=1)
    """Share of the phase after which the teacher is asked no more."""
    expert: str | None = "deep"
    """A searching player, a heuristic or `go_snake`, whose moves are targets for as long as the learner lives (expert
    iteration): its labels are kept and drawn again, the newest ones and by how far off the learner is on them
    (`data.buffer_size`, `data.prioritized_sampling`). None: nobody."""
    expert_share: float = Field(default=0.03, ge=0, le=1)
    """Share of the games in which the expert is asked, one in each part (`rollout_parts`) at the least; 0: none."""
    expert_weight: float = Field(default=0.1, ge=0)
    """Weight of the expert's cross-entropy beside PPO's loss; 0: it is not asked."""
    replay_share: float = Field(default=0.125, ge=0, le=1)
    """Kept positions drawn for each batch, as a share of its size."""
    heuristics: list[OpponentShare] = Field(
        default_factory=lambda: [
            OpponentShare(kind="strong", weight=4),
            OpponentShare(kind="deep", weight=1),
            OpponentShare(kind="voronoi", weight=1),
        ]
    )
    """Heuristic opponents by weight, in self-play times how hard each is for the learner by now; the phase's
    `heuristic_mix_ratio` says how often any sits opposite."""
    go_snake_weight: float = Field(default=0.0, ge=0)
    """Weight of the bundled Go snake beside the heuristics'; it plays in self-play and continuous phases alone. 0: it
    is no opponent."""
    go_snake_positions: int = Field(default=200, ge=1, le=64_000)
    """Positions that it thinks of for each of its moves, as an opponent, a teacher or an expert."""

    @property
    def asks_go_snake(self) -> bool:
        """Whether the Go snake plays, teaches or is the expert."""
        return self.go_snake_weight > 0 or "go_snake" in (self.teacher, self.expert)
