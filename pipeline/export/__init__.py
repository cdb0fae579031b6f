"""From a trained network to files that production runs: ONNX, int8, the bundle and its benchmark (torch)."""
