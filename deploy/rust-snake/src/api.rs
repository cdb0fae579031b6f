//! The Battlesnake API's JSON, as far as this snake uses it. Unknown fields are skipped; null and absent fields are zero.

use serde::{Deserialize, Deserializer};

/// The body of `/start`, `/move` and `/end`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    #[serde(deserialize_with = "or_zero")]
    pub game: Game,
    #[serde(deserialize_with = "or_zero")]
    pub turn: i64,
    #[serde(deserialize_with = "or_zero")]
    pub board: BoardText,
    #[serde(deserialize_with = "or_zero")]
    pub you: SnakeText,
}

/// The game and its rules.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Game {
    #[serde(deserialize_with = "or_zero")]
    pub id: String,
    #[serde(deserialize_with = "or_zero")]
    pub ruleset: Ruleset,
    #[serde(deserialize_with = "or_zero")]
    pub map: String,
    #[serde(deserialize_with = "or_zero")]
    pub source: String,
    /// Milliseconds.
    #[serde(deserialize_with = "or_zero")]
    pub timeout: u32,
}

/// The rules' name and numbers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ruleset {
    #[serde(deserialize_with = "or_zero")]
    pub name: String,
    #[serde(deserialize_with = "or_zero")]
    pub settings: Settings,
}

/// The settings that are read or logged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    #[serde(deserialize_with = "or_zero")]
    pub food_spawn_chance: i32,
    #[serde(deserialize_with = "or_zero")]
    pub minimum_food: i32,
    #[serde(deserialize_with = "or_zero")]
    pub hazard_damage_per_turn: i32,
    #[serde(deserialize_with = "or_zero")]
    pub royale: Royale,
}

/// The settings below `royale`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Royale {
    #[serde(deserialize_with = "or_zero")]
    pub shrink_every_n_turns: i32,
}

/// What lies on the board now; only living snakes are listed, and a hazard is repeated once per layer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct BoardText {
    #[serde(deserialize_with = "or_zero")]
    pub width: u32,
    #[serde(deserialize_with = "or_zero")]
    pub height: u32,
    #[serde(deserialize_with = "or_zero")]
    pub snakes: Vec<SnakeText>,
    #[serde(deserialize_with = "or_zero")]
    pub food: Vec<Point>,
    #[serde(deserialize_with = "or_zero")]
    pub hazards: Vec<Point>,
}

/// A snake; its head and length are in its body.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SnakeText {
    #[serde(deserialize_with = "or_zero")]
    pub id: String,
    #[serde(deserialize_with = "or_zero")]
    pub name: String,
    #[serde(deserialize_with = "or_zero")]
    pub health: i32,
    #[serde(deserialize_with = "or_zero")]
    pub body: Vec<Point>,
    /// How long the server waited for the last answer, in milliseconds; servers write it as text.
    #[serde(deserialize_with = "milliseconds")]
    pub latency: u32,
    /// What it said on its last move; for people: what is no text is none.
    #[serde(deserialize_with = "words")]
    pub shout: String,
}

/// A cell; y grows upward.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

fn or_zero<'de, D, T>(source: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(source)?.unwrap_or_default())
}

/// A number, or text that is one; anything else is zero.
fn milliseconds<'de, D: Deserializer<'de>>(source: D) -> Result<u32, D::Error> {
    let value = serde_json::Value::deserialize(source)?;
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    Ok(number.unwrap_or_default().clamp(0.0, f64::from(u16::MAX)) as u32)
}

/// Text; anything else is none.
fn words<'de, D: Deserializer<'de>>(source: D) -> Result<String, D::Error> {
    Ok(serde_json::Value::deserialize(source)?.as_str().unwrap_or_default().to_owned())
}

/// Reads a request; the error says where the text is not as the API has it.
pub fn read(text: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(text).map_err(|error| format!("the request is not as the API has it: {error}"))
}

/// The API's words, by number of the move.
pub const MOVES: [&str; 4] = ["up", "down", "left", "right"];

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn what_is_absent_or_null_is_zero_and_what_is_unknown_is_skipped() {
        let request = read(br#"{"game":{"id":"g","map":null,"new":[1]},"turn":3,"board":{"food":null}}"#).unwrap();
        assert_eq!((request.game.id.as_str(), request.turn, request.game.timeout), ("g", 3, 0));
        assert!(request.board.food.is_empty() && request.you.id.is_empty());
        for (latency, ms) in [(r#""83""#, 83), ("83", 83), (r#""""#, 0), ("null", 0), ("[]", 0), ("-5", 0)] {
            let text = format!(r#"{{"you":{{"latency":{latency}}}}}"#);
            assert_eq!(read(text.as_bytes()).unwrap().you.latency, ms, "{latency}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_its_place() {
        for (text, says) in [
            ("", "line 1 column 0"),
            (r#"{"turn":"three"}"#, "column 15"),
            (r#"{"board":{"snakes":[{"body":[{"x":1.5}]}]}}"#, "1.5"),
            ("{}}", "trailing"),
        ] {
            let error = read(text.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
