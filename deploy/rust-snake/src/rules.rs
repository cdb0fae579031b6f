//! What a request says about the rules.

use crate::api::Game;

/// The rules as far as they show in an observation or a safe move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Whether the ruleset is one that the encoder's table knows.
    pub known: bool,
    pub wrapped: bool,
    pub constrictor: bool,
    /// Hazards close in: ruleset or map royale.
    pub closing: bool,
    /// The ruleset is solo; a game that one snake began is solo too.
    pub solo: bool,
    /// Health lost per hazard; negative heals.
    pub damage: i32,
    /// Percent.
    pub food_chance: i32,
    pub minimum_food: i32,
}

impl Rules {
    /// Reads them; the bounds are those of the engine, beyond which a number changes nothing.
    pub fn of(game: &Game) -> Self {
        let (known, wrapped, constrictor, royale, solo) = match game.ruleset.name.as_str() {
            "standard" => (true, false, false, false, false),
            "solo" => (true, false, false, false, true),
            "royale" => (true, false, false, true, false),
            "wrapped" => (true, true, false, false, false),
            "constrictor" => (true, false, true, false, false),
            "wrapped_constrictor" => (true, true, true, false, false),
            _ => (false, false, false, false, false),
        };
        let numbers = &game.ruleset.settings;
        Self {
            known,
            wrapped,
            constrictor,
            closing: royale || game.map == "royale",
            solo,
            damage: numbers.hazard_damage_per_turn.clamp(-1000, 1000),
            food_chance: numbers.food_spawn_chance.clamp(0, 101),
            minimum_food: numbers.minimum_food.clamp(0, 1000),
        }
    }
}
