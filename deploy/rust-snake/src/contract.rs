//! What a model file must be for this program: its encoder, the names of its slots, its tensors.

use std::collections::HashMap;

use serde::Deserialize;
use tract_onnx::pb::tensor_shape_proto::dimension::Value as Dimension;
use tract_onnx::pb::type_proto::Value as Kind;
use tract_onnx::pb::{ModelProto, ValueInfoProto};

use crate::api::MOVES;
use crate::ground::STEPS;
use crate::slots::{CONTEXT, ENCODER_ID, FEATURES, FRAME, PLANES, Slot};

/// A tensor's name and its shape without the batch.
type Tensor = (&'static str, &'static [i64]);

const INPUTS: [Tensor; 3] = [
    ("board_state", &[PLANES.len() as i64, FRAME as i64, FRAME as i64]),
    ("snake_features", &[FEATURES.len() as i64]),
    ("game_context", &[CONTEXT.len() as i64]),
];
const OUTPUTS: [Tensor; 2] = [("policy_logits", &[MOVES.len() as i64]), ("value", &[1])];
/// ONNX's number of the type float32.
const FLOAT: i32 = 1;

/// What a model file says of itself, as far as it is used here.
#[derive(Clone, Debug)]
pub struct Card {
    pub model_id: String,
    /// The rulesets it was trained for.
    pub rulesets: Vec<String>,
    /// The most snakes that began a game of its training.
    pub most_snakes: usize,
    /// Turns that the network's fixed layers flood the board; none where it has no such layers.
    pub ground_steps: Option<usize>,
}

/// How the network is built, as far as it is used here.
#[derive(Deserialize)]
struct Network {
    #[serde(default)]
    ground_steps: usize,
}

impl Card {
    /// Whether the model was trained for such games; the error says what it does not know.
    pub fn covers(&self, ruleset: &str, seats: usize) -> Result<(), String> {
        if !self.rulesets.iter().any(|known| known == ruleset) {
            return Err(format!("the model was not trained for ruleset {ruleset:?}"));
        }
        if seats > self.most_snakes {
            return Err(format!("the model was trained for at most {} snakes, not {seats}", self.most_snakes));
        }
        Ok(())
    }
}

/// Checks a model file's metadata and tensors.
///
/// # Errors
/// It was made for another encoder, or is none of ours; the words say what differs.
pub fn check(model: &ModelProto) -> Result<Card, String> {
    let texts: HashMap<&str, &str> =
        model.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    let text = |name: &str| texts.get(name).copied().ok_or_else(|| format!("its metadata lacks {name:?}"));
    let encoder = text("encoder_id").map_err(|why| format!("{why}: it is no model of Ouroboros"))?;
    if encoder != ENCODER_ID {
        return Err(format!("it was made for encoder {encoder:?}; this program encodes {ENCODER_ID:?}"));
    }
    let names = |slots: &[Slot]| slots.iter().map(|slot| slot.0).collect::<Vec<_>>();
    check_names("channels", text("channels")?, &names(&PLANES))?;
    check_names("features", text("features")?, &names(&FEATURES))?;
    check_names("context", text("context")?, &names(&CONTEXT))?;
    check_names("moves", text("moves")?, &MOVES)?;
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    check_tensors("inputs", &graph.input, &INPUTS)?;
    check_tensors("outputs", &graph.output, &OUTPUTS)?;
    Ok(Card {
        model_id: text("model_id")?.to_owned(),
        rulesets: serde_json::from_str(text("rulesets")?).map_err(|error| format!("rulesets: {error}"))?,
        most_snakes: serde_json::from_str(text("most_snakes")?).map_err(|error| format!("most_snakes: {error}"))?,
        ground_steps: ground_steps(texts.get("network").copied().unwrap_or("null"))?,
    })
}

fn ground_steps(network: &str) -> Result<Option<usize>, String> {
    let network: Option<Network> = serde_json::from_str(network).map_err(|error| format!("network: {error}"))?;
    Ok(network.map(|network| network.ground_steps).filter(|steps| STEPS.contains(steps)))
}

fn check_names(field: &str, text: &str, wanted: &[&str]) -> Result<(), String> {
    let found: Vec<String> = serde_json::from_str(text).map_err(|error| format!("{field}: {error}"))?;
    if found != wanted {
        return Err(format!("{field}: it has {found:?}; this program has {wanted:?}"));
    }
    Ok(())
}

fn check_tensors(side: &str, found: &[ValueInfoProto], wanted: &[Tensor]) -> Result<(), String> {
    let names = || found.iter().map(|tensor| tensor.name.as_str());
    if !names().eq(wanted.iter().map(|tensor| tensor.0)) {
        let wanted: Vec<_> = wanted.iter().map(|tensor| tensor.0).collect();
        return Err(format!("its {side} are {:?}, not {wanted:?}", names().collect::<Vec<_>>()));
    }
    for (tensor, (name, shape)) in found.iter().zip(wanted) {
        let Some(Kind::TensorType(kind)) = tensor.r#type.as_ref().and_then(|kind| kind.value.as_ref()) else {
            return Err(format!("{name} has no type"));
        };
        let sizes: Vec<_> = kind.shape.iter().flat_map(|shape| &shape.dim).map(|dim| dim.value.clone()).collect();
        let fixed = shape.iter().map(|&size| Some(Dimension::DimValue(size)));
        if kind.elem_type != FLOAT || sizes.is_empty() || !sizes[1..].iter().cloned().eq(fixed) {
            return Err(format!("{name} is no float32 tensor of shape N x {shape:?}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{ModelProto, StringStringEntryProto};

    use super::{Card, check, ground_steps};
    use crate::slots::ENCODER_ID;

    fn telling(texts: &[(&str, &str)]) -> ModelProto {
        let entry = |&(key, value): &(&str, &str)| StringStringEntryProto { key: key.into(), value: value.into() };
        ModelProto { metadata_props: texts.iter().map(entry).collect(), ..ModelProto::default() }
    }

    #[test]
    fn what_is_not_ours_is_refused_with_what_differs() {
        for (texts, says) in [
            (&[][..], "no model of Ouroboros"),
            (&[("encoder_id", "ouroboros-0-00000000")], "made for encoder \"ouroboros-0-00000000\""),
            (&[("encoder_id", ENCODER_ID)], "lacks \"channels\""),
            (&[("encoder_id", ENCODER_ID), ("channels", "[\"board\"]")], "channels: it has [\"board\"]"),
        ] {
            let error = check(&telling(texts)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn how_far_the_fixed_layers_look_is_read() {
        assert_eq!(ground_steps("{\"conv_blocks\": 2, \"ground_steps\": 14}"), Ok(Some(14)));
        for without in ["null", "{}", "{\"ground_steps\": 0}", "{\"ground_steps\": 65}"] {
            assert_eq!(ground_steps(without), Ok(None), "{without}");
        }
        assert!(ground_steps("[14").unwrap_err().starts_with("network: "));
    }

    #[test]
    fn games_outside_the_training_are_told() {
        let card = Card { model_id: "m".into(), rulesets: vec!["standard".into()], most_snakes: 4, ground_steps: None };
        assert!(card.covers("standard", 4).is_ok());
        assert!(card.covers("wrapped", 2).unwrap_err().contains("\"wrapped\""));
        assert!(card.covers("standard", 5).unwrap_err().contains("at most 4"));
    }
}
