//! The network: an ONNX file run by tract, one position at a time.

use std::path::Path;

use tract_onnx::prelude::*;

use crate::contract::{Card, check};
use crate::encoder::Observation;
use crate::ground::survey;
use crate::shortcut::{self, cut_ground, has_ground};
use crate::slots::{CONTEXT, FEATURES, FRAME, PLANES};

/// Shapes of the three inputs of the contract, for one position.
const SHAPES: [&[usize]; 3] = [&[1, PLANES.len(), FRAME, FRAME], &[1, FEATURES.len()], &[1, CONTEXT.len()]];

/// What the network says of a position.
#[derive(Clone, Copy, Debug)]
pub struct Verdict {
    /// Up, down, left, right; no move masked.
    pub logits: [f32; 4],
    /// The expected outcome, -1 to 1.
    pub value: f32,
}

/// A loaded model with the memory to run it; one per thread.
pub struct Model {
    pub card: Card,
    state: TypedSimpleState,
    /// Turns to flood where the fixed layers are computed here; none where there are none, or the graph computes them.
    ground_steps: Option<usize>,
}

impl Model {
    /// Loads a file, checks that it keeps the contract, and runs it once.
    ///
    /// # Errors
    /// No such file, made for something else, or tract cannot run it; the words say which.
    pub fn load(path: &Path) -> Result<Self, String> {
        let wrong = |what: String| format!("model {}: {what}", path.display());
        if !path.is_file() {
            let remedy = "name it by --model or RUST_SNAKE_MODEL, or play --without-model";
            return Err(wrong(format!("there is no such file; {remedy}")));
        }
        let mut proto =
            onnx().proto_model_for_path(path).map_err(|error| wrong(format!("it is no ONNX file: {error:#}")))?;
        let card = check(&proto)
            .map_err(|what| wrong(format!("{what}. Export it again with this version, or build this program anew")))?;
        let ground_steps = match proto.graph.as_mut() {
            Some(graph) if has_ground(graph) => card.ground_steps.inspect(|_| cut_ground(graph)),
            _ => None,
        };
        let state = compile(&proto, ground_steps.is_some())
            .map_err(|error| wrong(format!("tract cannot run it: {error:#}")))?;
        drop(proto);
        let mut model = Self { card, state, ground_steps };
        model.evaluate(&Observation::empty()).map_err(wrong)?;
        Ok(model)
    }

    /// Returns what the network says.
    ///
    /// # Errors
    /// tract failed, or the network's answer is no number.
    pub fn evaluate(&mut self, seen: &Observation) -> Result<Verdict, String> {
        let verdict = self.run(seen).map_err(|error| format!("tract failed: {error:#}"))?;
        if verdict.logits.iter().chain([&verdict.value]).all(|number| number.is_finite()) {
            return Ok(verdict);
        }
        Err(format!("the network's answer is no number: {verdict:?}"))
    }

    fn run(&mut self, seen: &Observation) -> TractResult<Verdict> {
        let planes: Vec<f32> = seen.plane_floats().collect();
        let features: Vec<f32> = seen.feature_floats().collect();
        let context: Vec<f32> = seen.context_floats().collect();
        let mut inputs = tvec![
            Tensor::from_shape(SHAPES[0], &planes)?.into(),
            Tensor::from_shape(SHAPES[1], &features)?.into(),
            Tensor::from_shape(SHAPES[2], &context)?.into(),
        ];
        if let Some(steps) = self.ground_steps {
            let ground = survey(&seen.planes, steps);
            for (shape, numbers) in shortcut::SHAPES.into_iter().zip([&ground.told[..], &ground.mine, &ground.replies])
            {
                inputs.push(Tensor::from_shape(shape, numbers)?.into());
            }
        }
        let outputs = self.state.run(inputs)?;
        let (logits, value) = (outputs[0].try_as_plain_ram()?, outputs[1].try_as_plain_ram()?);
        Ok(Verdict { logits: logits.as_slice::<f32>()?.try_into()?, value: value.as_slice::<f32>()?[0] })
    }
}

/// Optimises the graph for one position at a time; the fixed layers' tensors are inputs too, or not.
fn compile(proto: &tract_onnx::pb::ModelProto, with_ground: bool) -> TractResult<TypedSimpleState> {
    let mut graph = onnx().with_ignore_output_shapes(true).model_for_proto_model(proto)?;
    let ground = if with_ground { &shortcut::SHAPES[..] } else { &[] };
    for (index, &shape) in SHAPES.iter().chain(ground).enumerate() {
        graph.set_input_fact(index, f32::fact(shape).into())?;
    }
    graph.into_optimized()?.into_runnable()?.spawn()
}

/// The legal move of the highest logit, the first of equals.
pub fn best_move(logits: &[f32; 4], legal: [bool; 4]) -> usize {
    let mut best: Option<usize> = None;
    for direction in (0..4).filter(|&direction| legal[direction]) {
        if best.is_none_or(|so_far| logits[direction] > logits[so_far]) {
            best = Some(direction);
        }
    }
    best.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Model, best_move};

    #[test]
    fn the_first_of_equal_legal_moves_is_best() {
        assert_eq!(best_move(&[9.0, 1.0, 1.0, 0.5], [false, true, true, true]), 1);
        assert_eq!(best_move(&[-3.0, -2.0, -1.0, -1.0], [true; 4]), 2);
    }

    #[test]
    fn a_file_that_is_no_model_is_refused() {
        let missing = Model::load("nowhere.onnx".as_ref()).err().unwrap();
        assert!(missing.contains("no such file") && missing.contains("--without-model"));
        let foreign = Model::load("Cargo.toml".as_ref()).err().unwrap();
        assert!(foreign.contains("Cargo.toml") && foreign.contains("ONNX"), "{foreign}");
    }
}
