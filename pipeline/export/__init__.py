"""From a trained network to files that production runs: ONNX, int8, the bundle and its benchmark (torch).

Public: `onnx_export.export_onnx` and `load_champion_model`, `parity.check_parity`, `bundle.write_bundle`,
`benchmark.PerformanceBenchmark`.
"""
