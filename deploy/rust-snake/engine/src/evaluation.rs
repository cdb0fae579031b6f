//! What a quiet position is worth to one snake, in the points of `config.yaml`.

use crate::cells::Cells;
use crate::features::{covers, show};
use crate::leaf_eval::LeafEval;
use crate::prediction::decay;
use crate::state::{FULL_HEALTH, Snake, State};
use crate::territory::{FAR, Territory};
use crate::weights::{Phase, Weights};

/// Scores positions for one snake; set up once for all positions looked at from a root.
pub struct Evaluator<'a, const W: usize> {
    weights: Weights,
    /// None where our own evaluation has no help.
    learned: Option<&'a LeafEval>,
    me: usize,
    /// There never was an opponent.
    solo: bool,
    /// How far the board has filled, from 0 (early) to 1 (late).
    late: f64,
    territory: Territory<W>,
    decay: [f64; 128],
    /// By health, what hunger costs.
    hunger: [f64; FULL_HEALTH as usize + 1],
}

impl<'a, const W: usize> Evaluator<'a, W> {
    pub fn new(root: &State<W>, me: usize, weights: &Weights, learned: Option<&'a LeafEval>) -> Self {
        let food = &weights.food;
        let hunger = std::array::from_fn(|health| match f64::from(food.hunger_health) {
            limit if (health as f64) < limit => food.hunger * ((limit - health as f64) / limit).powf(food.hunger_curve),
            _ => 0.0,
        });
        Self {
            me,
            solo: root.count == 1,
            late: lateness(root, &weights.phase),
            territory: Territory::new(root, weights),
            decay: decay(food.decay),
            hunger,
            learned: learned.filter(|learned| covers(learned, root)),
            weights: weights.clone(),
        }
    }

    /// The value of a position in which `me` lives and, unless the game is solo, somebody else does too.
    pub fn score(&mut self, state: &State<W>) -> f64 {
        self.territory.fill(state);
        let standing = state.standing();
        let Some(learned) = self.learned.filter(|_| state.living > 1) else { return self.own_score(state, standing) };
        let network = if state.living == 2 { &learned.duel } else { &learned.crowd };
        if network.is_silent() {
            return self.own_score(state, standing);
        }
        let points = network.points(&show(state, &self.territory, self.me, standing));
        if learned.hand_share == 0.0 {
            return points;
        }
        learned.hand_share * self.own_score(state, standing) + points
    }

    /// The value by the weights alone, of a position whose territory has been filled.
    fn own_score(&self, state: &State<W>, standing: Cells<W>) -> f64 {
        let rivals = state.living as usize - 1;
        let mut value =
            self.space(state, rivals) + self.exits(state, standing) + self.position(state) + self.tail(state, rivals);
        if rivals > 0 {
            value += self.traps(state, rivals, standing) + self.heads(state, rivals);
        }
        if !state.constrictor {
            value += self.food(state, rivals);
        }
        if !state.hazards.is_empty() {
            value += self.hazard(state);
        }
        value
    }

    fn mine<'s>(&self, state: &'s State<W>) -> &'s Snake<W> {
        &state.snakes()[self.me]
    }

    /// My ground against the opponents', less what too little of it costs.
    fn space(&self, state: &State<W>, rivals: usize) -> f64 {
        let (weights, ground) = (&self.weights.space, &self.territory);
        let mut theirs: f64 = state.rivals(self.me).map(|(index, _)| ground.worth(index)).sum();
        let mut area = weights.area_crowd;
        if rivals == 1 {
            area = if ground.of(self.me).sealed { weights.area_sealed } else { weights.area_duel };
            theirs *= weights.opponent_area_duel;
        } else if rivals > 1 {
            theirs *= weights.opponent_area_crowd / rivals as f64;
        }
        if state.constrictor {
            area = weights.area_constrictor;
        }
        area *= between(self.weights.phase.area_early, self.weights.phase.area_late, self.late);
        let balance = area * (ground.worth(self.me) - theirs) + weights.contested * ground.disputed_worth();
        balance / state.board.cells() as f64 - weights.room_shortage * self.shortage(state, self.me)
    }

    /// The share of the room that the snake needs and does not have, 0 to 1; less where it can follow its own tail.
    fn shortage(&self, state: &State<W>, snake: usize) -> f64 {
        let need = self.weights.space.room_need * f64::from(state.snakes()[snake].length);
        let room = self.territory.usable(state, snake);
        if room >= need {
            return 0.0;
        }
        let relief = if self.reaches_tail(state, snake) { 1.0 - self.weights.space.tail_relief } else { 1.0 };
        (1.0 - room / need) * relief
    }

    /// Whether the snake reaches its own tail before anybody else does.
    fn reaches_tail(&self, state: &State<W>, snake: usize) -> bool {
        !state.constrictor && self.territory.of(snake).tail_steps < FAR
    }

    fn exits(&self, state: &State<W>, standing: Cells<W>) -> f64 {
        let weights = &self.weights.space;
        match open_steps(state, self.me, standing) {
            0 => -weights.no_exit,
            1 => -weights.one_exit,
            open => weights.extra_exit * f64::from(open - 2),
        }
    }

    /// Where the head stands, regardless of anybody else.
    fn position(&self, state: &State<W>) -> f64 {
        let (weights, head) = (&self.weights.position, usize::from(self.mine(state).head));
        let centre = between(weights.centre_early, weights.centre_late, self.late) * state.board.off_centre[head];
        let edge = match state.board.sides[head] {
            0 => 0.0,
            1 => weights.edge,
            _ => weights.corner,
        };
        -centre - edge
    }

    /// The way back to one's own tail: that there is one, and how near the tail is while not hungry.
    fn tail(&self, state: &State<W>, rivals: usize) -> f64 {
        if !self.reaches_tail(state, self.me) {
            return 0.0;
        }
        let weights = &self.weights.tail;
        if self.mine(state).health < weights.chase_health {
            return weights.reach;
        }
        let chase = if rivals <= 1 { weights.chase_duel } else { weights.chase_crowd };
        weights.reach + chase / f64::from(1 + self.territory.of(self.me).tail_steps)
    }

    /// Opponents that lack room or exits.
    fn traps(&self, state: &State<W>, rivals: usize, standing: Cells<W>) -> f64 {
        let (weights, mine, mut value) = (&self.weights.trap, self.mine(state), 0.0);
        let lack = if rivals > 1 { weights.crowd_shortage } else { weights.duel_shortage };
        for (index, him) in state.rivals(self.me) {
            if weights.only_longer && him.length >= mine.length {
                continue;
            }
            value += lack * self.shortage(state, index);
            value += match open_steps(state, index, standing) {
                0 => weights.no_exit,
                1 => weights.one_exit,
                _ => 0.0,
            };
            if pinned(state, mine.head, him.head) {
                value += weights.edge_pin;
            }
        }
        value
    }

    /// Nearness to heads: feared while they are at least as long, sought while clearly shorter.
    fn heads(&self, state: &State<W>, rivals: usize) -> f64 {
        let (weights, mine, mut value) = (&self.weights.heads, self.mine(state), 0.0);
        let (fear, hunt) =
            if rivals > 1 { (weights.fear_crowd, weights.hunt_crowd) } else { (weights.fear_duel, weights.hunt_duel) };
        for (_, him) in state.rivals(self.me) {
            let distance = state.board.distance(mine.head, him.head);
            if distance > weights.radius {
                continue;
            }
            let near = f64::from(weights.radius - distance + 1) / f64::from(weights.radius);
            if him.length >= mine.length {
                value -= fear * near;
            } else if mine.length - him.length >= weights.hunt_margin {
                value += hunt * near;
            }
        }
        value
    }

    /// Length already won, food within reach, and the cost of hunger.
    fn food(&self, state: &State<W>, rivals: usize) -> f64 {
        let (weights, mine) = (&self.weights.food, self.mine(state));
        let near = self.nearness(state);
        let hunger = self.hunger[mine.health.clamp(0, FULL_HEALTH) as usize];
        let mut value = self.growth(state, rivals, near) - hunger * (1.0 - near);
        value += weights.territory * f64::from(self.territory.of(self.me).foods);
        if self.starves(state) {
            value -= weights.starvation;
        }
        for (index, him) in state.rivals(self.me) {
            if self.territory.of(index).foods == 0 {
                let hungry = f64::from(FULL_HEALTH - him.health) / f64::from(FULL_HEALTH);
                value += weights.denial * hungry / rivals as f64;
            }
        }
        value
    }

    fn fading(&self, steps: u32) -> f64 {
        self.decay[(steps as usize).min(self.decay.len() - 1)]
    }

    /// Falls from 1 with the distance of the food that I reach first; of food that others reach first a share counts.
    fn nearness(&self, state: &State<W>) -> f64 {
        let reach = self.territory.of(self.me);
        if reach.food_steps < FAR {
            return self.fading(reach.food_steps) * self.meal(state, reach.food_cell);
        }
        let head = self.mine(state).head;
        let worth = |cell| self.fading(state.board.distance(head, cell)) * self.meal(state, cell);
        state.food.iter().map(worth).fold(0.0, f64::max) * self.weights.food.contested
    }

    /// What food on this cell is worth: below 1 on the edge and in hazards.
    fn meal(&self, state: &State<W>, cell: u16) -> f64 {
        let edge = state.board.sides[usize::from(cell)] > 0;
        let worth = if edge { 1.0 - self.weights.food.edge_discount } else { 1.0 };
        let hurts = state.hazards.has(cell) && state.hazard_damage > 0;
        if hurts { worth * self.weights.hazard.food } else { worth }
    }

    /// My lead in length, and a share of the next piece's value by its nearness.
    fn growth(&self, state: &State<W>, rivals: usize, near: f64) -> f64 {
        let (food, length, mine) = (&self.weights.food, &self.weights.length, self.mine(state));
        if self.solo {
            return food.solo_growth * (f64::from(mine.length) + food.pull * near);
        }
        let (behind, ahead) = if rivals > 1 {
            (length.behind_crowd, length.ahead_crowd)
        } else {
            (length.behind_duel, length.ahead_duel)
        };
        let longest = state.rivals(self.me).map(|(_, him)| him.length).max().unwrap_or(0);
        let (lead, target) = (f64::from(mine.length - longest), f64::from(length.target_lead));
        let (value, slope) =
            if lead >= target { (behind * target + ahead * (lead - target), ahead) } else { (behind * lead, behind) };
        let nearest = state.rivals(self.me).map(|(index, _)| self.territory.of(index).food_steps).min().unwrap_or(FAR);
        let theirs = if nearest == FAR { 0.0 } else { self.fading(nearest) };
        let phase = &self.weights.phase;
        (value + slope * (food.pull * near - food.rival_pull * theirs))
            * between(phase.growth_early, phase.growth_late, self.late)
    }

    /// Whether no food at all can be reached on the health that is left.
    fn starves(&self, state: &State<W>) -> bool {
        let mine = self.mine(state);
        let within = |steps: u32| i64::from(steps) <= i64::from(mine.health);
        !within(self.territory.of(self.me).food_steps)
            && mine.health < FULL_HEALTH / 2
            && !state.food.iter().any(|cell| within(state.board.distance(mine.head, cell)))
    }

    /// The cost of standing in hazards beyond the health they took, and the use of healing ones.
    fn hazard(&self, state: &State<W>) -> f64 {
        let (weights, mine) = (&self.weights.hazard, self.mine(state));
        let layers = f64::from(state.hazard_layers[usize::from(mine.head)]);
        let bite = layers * f64::from(state.hazard_damage) / f64::from(FULL_HEALTH);
        let hurt = 1.0 - f64::from(mine.health) / f64::from(FULL_HEALTH);
        if bite < 0.0 {
            -bite * hurt * weights.healing
        } else {
            -bite * (weights.inside + weights.low_health * hurt * hurt)
        }
    }
}

/// Runs from 0 while bodies cover at most `early_fill` of the board to 1 from `late_fill` on.
fn lateness<const W: usize>(state: &State<W>, phase: &Phase) -> f64 {
    let total: i32 = state.snakes().iter().map(|snake| snake.length).sum();
    let fill = f64::from(total) / state.board.cells() as f64;
    if phase.late_fill <= phase.early_fill {
        return f64::from(u8::from(fill > phase.early_fill));
    }
    ((fill - phase.early_fill) / (phase.late_fill - phase.early_fill)).clamp(0.0, 1.0)
}

fn between(early: f64, late: f64, share: f64) -> f64 {
    early + (late - early) * share
}

/// The cells that a snake can enter next turn.
#[inline]
pub fn open_steps<const W: usize>(state: &State<W>, snake: usize, standing: Cells<W>) -> u32 {
    let head = state.snakes()[snake].head;
    state.board.spread(Cells::of(head)).without(standing).count()
}

/// Whether my head stands beside or ahead of an opponent that runs along the edge, one cell further in.
fn pinned<const W: usize>(state: &State<W>, mine: u16, his: u16) -> bool {
    let sides = &state.board.sides;
    sides[usize::from(his)] > 0 && sides[usize::from(mine)] == 0 && state.board.distance(his, mine) <= 2
}
