//! The observation's slots: order, scales and the encoder's id, as `pipeline/engine/planes.py` documents each.
//!
//! A slot is a whole number 0 to 255; its float form is that number times the slot's scale, one multiplication.

/// The only encoder this program knows; a model made for another one is refused.
pub const ENCODER_ID: &str = "ouroboros-1-26448593";

/// Side of the square frame in whose middle the board stands.
pub const FRAME: usize = 11;
/// Cells of a plane.
pub const AREA: usize = FRAME * FRAME;

const FLAG: f32 = (1.0 / 255.0_f64) as f32;
const LIFE: f32 = (1.0 / 100.0_f64) as f32;
const TURNS: f32 = 1.0 / 32.0;
const QUARTER: f32 = 1.0 / 4.0;
const EIGHTH: f32 = 1.0 / 8.0;
const SIXTEENTH: f32 = 1.0 / 16.0;

/// A slot's name and scale.
pub type Slot = (&'static str, f32);

pub const PLANES: [Slot; 12] = [
    ("board", FLAG),
    ("food", FLAG),
    ("hazards", QUARTER),
    ("my_body", TURNS),
    ("other_bodies", TURNS),
    ("my_head", LIFE),
    ("other_heads", LIFE),
    ("stronger_heads", TURNS),
    ("weaker_heads", TURNS),
    ("threats", FLAG),
    ("prey", FLAG),
    ("other_lengths", TURNS),
];

pub const FEATURES: [Slot; 32] = [
    ("health", LIFE),
    ("length", TURNS),
    ("lead", TURNS),
    ("lag", TURNS),
    ("open_up", FLAG),
    ("open_down", FLAG),
    ("open_left", FLAG),
    ("open_right", FLAG),
    ("threat_up", FLAG),
    ("threat_down", FLAG),
    ("threat_left", FLAG),
    ("threat_right", FLAG),
    ("prey_up", FLAG),
    ("prey_down", FLAG),
    ("prey_left", FLAG),
    ("prey_right", FLAG),
    ("exits_up", QUARTER),
    ("exits_down", QUARTER),
    ("exits_left", QUARTER),
    ("exits_right", QUARTER),
    ("food_up", SIXTEENTH),
    ("food_down", SIXTEENTH),
    ("food_left", SIXTEENTH),
    ("food_right", SIXTEENTH),
    ("head_up", SIXTEENTH),
    ("head_down", SIXTEENTH),
    ("head_left", SIXTEENTH),
    ("head_right", SIXTEENTH),
    ("food_steps", SIXTEENTH),
    ("head_steps", SIXTEENTH),
    ("tail_steps", SIXTEENTH),
    ("tail_waits", QUARTER),
];

pub const CONTEXT: [Slot; 16] = [
    ("turn", FLAG),
    ("others", EIGHTH),
    ("seats", EIGHTH),
    ("width", SIXTEENTH),
    ("height", SIXTEENTH),
    ("wrapped", FLAG),
    ("constrictor", FLAG),
    ("closing", FLAG),
    ("solo", FLAG),
    ("damage", LIFE),
    ("healing", LIFE),
    ("hazards", FLAG),
    ("bodies", FLAG),
    ("food", SIXTEENTH),
    ("food_chance", LIFE),
    ("minimum_food", SIXTEENTH),
];

/// First cell of each plane.
pub mod plane {
    use super::AREA;

    pub const BOARD: usize = 0;
    pub const FOOD: usize = AREA;
    pub const HAZARDS: usize = 2 * AREA;
    pub const MY_BODY: usize = 3 * AREA;
    pub const OTHER_BODIES: usize = 4 * AREA;
    pub const MY_HEAD: usize = 5 * AREA;
    pub const OTHER_HEADS: usize = 6 * AREA;
    pub const STRONGER_HEADS: usize = 7 * AREA;
    pub const WEAKER_HEADS: usize = 8 * AREA;
    pub const THREATS: usize = 9 * AREA;
    pub const PREY: usize = 10 * AREA;
    pub const OTHER_LENGTHS: usize = 11 * AREA;
}

/// Features; those of the four directions begin at the named slot, in the order of the moves.
pub mod feature {
    pub const HEALTH: usize = 0;
    pub const LENGTH: usize = 1;
    pub const LEAD: usize = 2;
    pub const LAG: usize = 3;
    pub const OPEN: usize = 4;
    pub const THREAT: usize = 8;
    pub const PREY: usize = 12;
    pub const EXITS: usize = 16;
    pub const FOOD: usize = 20;
    pub const HEAD: usize = 24;
    pub const FOOD_STEPS: usize = 28;
    pub const HEAD_STEPS: usize = 29;
    pub const TAIL_STEPS: usize = 30;
    pub const TAIL_WAITS: usize = 31;
}
