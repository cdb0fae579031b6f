//! The numbers of search and evaluation, read from the Go snake's `config.yaml`, which says what each means.
//!
//! `search.time_share` and `search.threads` are read so that the file is whole, and are the Go snake's alone: who calls
//! the search says how long it may take, and it thinks on one thread.

use std::collections::HashMap;
use std::str::FromStr;

/// The weights that the Go snake ships with.
pub const SHIPPED: &str = include_str!("../../../go-snake/config.yaml");

/// Declares the sections with their keys, and how they are taken from the file's values.
macro_rules! sections {
    ($($section:ident: $Name:ident { $($key:ident: $kind:ty),+ $(,)? })+) => {
        $(
            #[doc = concat!("The section `", stringify!($section), "` of `config.yaml`.")]
            #[derive(Clone, Debug)]
            pub struct $Name { $(pub $key: $kind),+ }
        )+

        /// All weights, by section.
        #[derive(Clone, Debug)]
        pub struct Weights {
            $(pub $section: $Name,)+
            /// Those that decide among more than two snakes, where they are others.
            crowd: Option<Box<Weights>>,
        }

        impl Weights {
            fn take(values: &mut HashMap<String, String>) -> Result<Self, String> {
                Ok(Self { $($section: $Name {
                    $($key: take(values, concat!(stringify!($section), ".", stringify!($key)))?),+
                },)+ crowd: None })
            }
        }
    };
}

sections! {
    search: Search {
        duel_budget: u64, crowd_budget: u64, duel_depth: u32, crowd_depth: u32, solo_depth: u32, forced_turns: u32,
        reply_snakes: usize, reply_radius: u32, duel_pessimism: f64, duel_pessimism_later: f64, crowd_pessimism: f64,
        crowd_pessimism_later: f64, keep_partial: bool, time_share: f64, threads: u32,
    }
    outcome: Outcome { death: f64, win: f64, draw: f64, kill: f64, delay: f64 }
    space: Space {
        area_duel: f64, area_crowd: f64, area_constrictor: f64, area_sealed: f64, opponent_area_duel: f64,
        opponent_area_crowd: f64, contested: f64, room_need: f64, room_shortage: f64, tail_relief: f64, no_exit: f64,
        one_exit: f64, extra_exit: f64, edge_cell: f64, corridor_discount: f64, parity: f64, bodies_vacate: bool,
        tails_grow: bool,
    }
    trap: Trap {
        duel_shortage: f64, crowd_shortage: f64, no_exit: f64, one_exit: f64, edge_pin: f64, only_longer: bool,
    }
    food: Food {
        hunger: f64, hunger_curve: f64, hunger_health: i32, pull: f64, rival_pull: f64, decay: f64, contested: f64,
        starvation: f64, territory: f64, denial: f64, solo_growth: f64, edge_discount: f64,
    }
    length: Length { behind_duel: f64, ahead_duel: f64, behind_crowd: f64, ahead_crowd: f64, target_lead: i32 }
    heads: Heads {
        fear_duel: f64, fear_crowd: f64, hunt_duel: f64, hunt_crowd: f64, radius: u32, hunt_margin: i32,
    }
    position: Position { centre_early: f64, centre_late: f64, edge: f64, corner: f64 }
    tail: Tail { reach: f64, chase_duel: f64, chase_crowd: f64, chase_health: i32 }
    hazard: Hazard { inside: f64, low_health: f64, area_discount: f64, food: f64, healing: f64 }
    predict: Predict { exits: f64, food: f64, fear: f64, attack: f64, straight: f64 }
    phase: Phase {
        early_fill: f64, late_fill: f64, area_early: f64, area_late: f64, growth_early: f64, growth_late: f64,
    }
}

impl FromStr for Weights {
    type Err = String;

    /// Reads the text of a `config.yaml`: sections at the margin, `key: value` below them, comments after `#`. The section
    /// `crowd` may be absent; its keys are whole names (`space.room_need`), but for those of `search`.
    ///
    /// # Errors
    /// A line of another form, a key that is unknown, absent or twice there, a value of another kind or not finite.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut values = HashMap::new();
        let mut section = "";
        for (number, line) in text.lines().enumerate() {
            let content = line.split('#').next().unwrap_or_default().trim_end();
            let wrong = |what: &str| format!("line {}: {what}: {line:?}", number + 1);
            match content.trim_start().split_once(':') {
                None if content.is_empty() => {}
                None => return Err(wrong("neither a section nor key: value")),
                Some((name, "")) => section = name,
                Some((key, value)) => {
                    if values.insert(format!("{section}.{key}"), value.trim().to_owned()).is_some() {
                        return Err(wrong("the key is there twice"));
                    }
                }
            }
        }
        let crowd: Vec<(String, String)> = values.extract_if(|key, _| key.starts_with("crowd.")).collect();
        let mut among = values.clone();
        let mut weights = Self::take(&mut values)?;
        if !crowd.is_empty() {
            replace(&mut among, crowd)?;
            weights.crowd = Some(Box::new(Self::take(&mut among).map_err(|what| format!("crowd: {what}"))?));
        }
        match values.keys().min() {
            Some(unknown) => Err(format!("{unknown} is no weight of this snake")),
            None => Ok(weights),
        }
    }
}

/// Puts what the section `crowd` says into the places of the values that it names.
fn replace(values: &mut HashMap<String, String>, crowd: Vec<(String, String)>) -> Result<(), String> {
    for (key, value) in crowd {
        let name = key.strip_prefix("crowd.").unwrap_or(&key);
        match values.get_mut(name) {
            Some(place) if !name.starts_with("search.") => *place = value,
            _ => return Err(format!("{key} is no weight of this snake")),
        }
    }
    Ok(())
}

impl Weights {
    /// Those to decide by while so many snakes live.
    pub fn among(&self, living: u32) -> &Self {
        self.crowd.as_deref().filter(|_| living > 2).unwrap_or(self)
    }

    /// The weights that the Go snake ships with.
    ///
    /// # Panics
    /// Never: they are compiled in, and a test reads them.
    pub fn shipped() -> Self {
        SHIPPED.parse().expect("the weights that are compiled in can be read")
    }
}

fn take<T: FromStr + Finite>(values: &mut HashMap<String, String>, key: &str) -> Result<T, String> {
    let text = values.remove(key).ok_or_else(|| format!("{key} is missing"))?;
    text.parse().ok().filter(T::finite).ok_or_else(|| format!("{key}: {text:?} is not the kind of value it needs"))
}

trait Finite {
    fn finite(&self) -> bool {
        true
    }
}

impl Finite for u64 {}
impl Finite for u32 {}
impl Finite for usize {}
impl Finite for i32 {}
impl Finite for bool {}
impl Finite for f64 {
    fn finite(&self) -> bool {
        self.is_finite()
    }
}

#[cfg(test)]
mod tests {
    use super::{SHIPPED, Weights};

    #[test]
    fn the_shipped_weights_are_read_whole() {
        let weights = Weights::shipped();
        assert!(weights.search.duel_budget > 0 && weights.outcome.win > 0.0);
    }

    #[test]
    fn a_crowd_has_weights_of_its_own() {
        let (common, _) = SHIPPED.split_once("\ncrowd:\n").unwrap();
        let weights: Weights = format!("{common}\ncrowd:\n  space.room_need: 2.25\n").parse().unwrap();
        let room = |weights: &Weights, living: u32| weights.among(living).space.room_need.to_bits();
        assert_eq!([2, 3, 8].map(|living| room(&weights, living) == 2.25_f64.to_bits()), [false, true, true]);
        assert_eq!(weights.among(3).outcome.win.to_bits(), weights.outcome.win.to_bits());
        let none: Weights = common.parse().unwrap();
        assert_eq!(room(&none, 4), room(&none, 2));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, says) in [
            ("  draw:", "  drawn:", "outcome.draw is missing"),
            ("  kill:", "  novelty: 1\n  kill:", "outcome.novelty is no weight"),
            ("bodies_vacate: true", "bodies_vacate: 3", "space.bodies_vacate"),
            ("  delay:", "  delay: .nan #", "outcome.delay"),
            ("outcome:", "outcome:\n  draw: 1", "twice"),
            ("outcome:", "outcome", "line"),
            ("\ncrowd:", "\ncrowd:\n  space.room_nee: 1.0", "crowd.space.room_nee is no weight"),
            ("\ncrowd:", "\ncrowd:\n  search.duel_budget: 1", "crowd.search.duel_budget is no weight"),
            ("\ncrowd:", "\ncrowd:\n  crowd.space.room_need: 1.0", "crowd.crowd.space.room_need is no weight"),
            ("  space.room_need:", "  space.room_need: x #", "crowd: space.room_need"),
        ] {
            let error = SHIPPED.replacen(from, to, 1).parse::<Weights>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
