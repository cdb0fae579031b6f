//! Cuts a model's fixed layers out of its graph: what they tell becomes an input, which `ground.rs` computes.

use std::collections::HashSet;

use tract_onnx::pb::{GraphProto, ValueInfoProto};

use crate::ground::{MINE, REPLIES, TOLD};

/// Names of the fixed layers' tensors, as the exporter gives them (`GROUND_TENSORS` in `pipeline/evolution/territory_features.py`).
pub const NAMES: [&str; 3] = ["ground1_told", "ground1_mine", "ground1_replies"];
/// Their shapes, the batch of one position among them.
pub const SHAPES: [&[usize]; 3] = [&[1, MINE, REPLIES, TOLD], &[1, MINE], &[1, REPLIES]];

/// Whether the graph has these layers.
pub fn has_ground(graph: &GraphProto) -> bool {
    NAMES.iter().all(|name| graph.node.iter().any(|node| node.output.iter().any(|output| output == name)))
}

/// Makes the layers' tensors inputs, behind the others, and drops all that led only to them.
pub fn cut_ground(graph: &mut GraphProto) {
    let mut needed: HashSet<String> = graph.output.iter().map(|output| output.name.clone()).collect();
    let told = |name: &String| NAMES.contains(&name.as_str());
    // The nodes of an ONNX graph are sorted: what a node needs stands before it.
    let mut nodes = std::mem::take(&mut graph.node);
    nodes.reverse();
    nodes.retain(|node| {
        let keep = node.output.iter().any(|output| needed.contains(output) && !told(output));
        if keep {
            needed.extend(node.input.iter().cloned());
        }
        keep
    });
    nodes.reverse();
    graph.node = nodes;
    graph.initializer.retain(|tensor| needed.contains(&tensor.name));
    // Their shapes are set when the graph is compiled.
    let kind = graph.input.first().and_then(|input| input.r#type.clone());
    let input = |name: &str| ValueInfoProto { name: name.into(), r#type: kind.clone(), ..ValueInfoProto::default() };
    graph.input.extend(NAMES.map(input));
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{GraphProto, NodeProto, TensorProto, ValueInfoProto};

    use super::{NAMES, cut_ground, has_ground};

    fn node(inputs: &[&str], output: &str) -> NodeProto {
        let input = inputs.iter().map(|&name| name.into()).collect();
        NodeProto { input, output: vec![output.into()], ..NodeProto::default() }
    }

    fn graph() -> GraphProto {
        let named = |name: &str| ValueInfoProto { name: name.into(), ..ValueInfoProto::default() };
        let weight = |name: &str| TensorProto { name: name.into(), ..TensorProto::default() };
        GraphProto {
            node: vec![
                node(&["board_state", "a"], "flood"),
                node(&["flood"], NAMES[0]),
                node(&["flood"], NAMES[1]),
                node(&["flood"], NAMES[2]),
                node(&["board_state", NAMES[0], NAMES[1]], "seen"),
                node(&["seen", "b", NAMES[2]], "policy_logits"),
            ],
            input: vec![named("board_state")],
            output: vec![named("policy_logits")],
            initializer: vec![weight("a"), weight("b")],
            ..GraphProto::default()
        }
    }

    #[test]
    fn what_leads_to_the_fixed_layers_only_is_dropped() {
        let mut graph = graph();
        assert!(has_ground(&graph));
        cut_ground(&mut graph);
        let outputs: Vec<_> = graph.node.iter().map(|node| node.output[0].as_str()).collect();
        assert_eq!(outputs, ["seen", "policy_logits"]);
        let inputs: Vec<_> = graph.input.iter().map(|input| input.name.as_str()).collect();
        assert_eq!(inputs, ["board_state", NAMES[0], NAMES[1], NAMES[2]]);
        assert_eq!(graph.initializer.len(), 1);
        assert!(!has_ground(&graph));
    }
}
