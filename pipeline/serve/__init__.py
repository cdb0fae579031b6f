"""A model file in production: the API server, shadow mode, and the model as a player of the arena (no torch).

Public: `server.run_server`, `policy.PolicyWithFallback` (a legal move in time, whatever becomes of the network),
`onnx_model.OnnxModel` and `OnnxPolicy`, `shadow_report.report_shadows`.
"""
