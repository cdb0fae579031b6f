"""Nothing in the program is without a user. vulture finds names that occur nowhere else; frameworks' own are listed."""

from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[2]
PACKAGES = ("runner", "pipeline", "schemas", "migrations")
CALLED_BY_OTHERS = [
    # Python, asyncio, http.server, httptools, logging
    "__getattr__", "__dir__", "connection_made", "connection_lost", "data_received", "on_message_begin", "on_url",
    "on_body", "on_header", "on_headers_complete", "on_message_complete", "do_POST", "log_message", "daemon_threads",
    "request_queue_size", "protocol_version", "disable_nagle_algorithm", "namer", "rotator", "converter",
    "default_msec_format", "raiseExceptions", "row_factory", "text_factory", "on_broken_pipe",
    # pydantic, SQLAlchemy, Alembic, Litestar, APScheduler, numba, onnxruntime, onnx
    "model_config", "impl", "cache_ok", "process_literal_param", "down_revision", "is_plugin_supported_field",
    "to_openapi_schema", "schema_creator", "_do_submit_job", "CACHE_DIR", "typing_context", "inter_op_num_threads",
    "intra_op_num_threads", "execution_mode", "enable_cpu_mem_arena", "log_severity_level", "doc_string",
    # numba's and the drivers' own
    "CACHE_LOCATOR_CLASSES", "isolation_level", "autocommit",
]  # fmt: skip
CALLED_BY_DECORATOR = ["@click.*", "@*.command*", "@*_validator*", "@event.*", "@listens_for*", "@*.callback*"]
BY_ENTRY_POINT = {"synchronise_for_daemon"}
BY_NAME = {"census", "_after_identity", "_after_missing", "_after_open", "_after_exchange"}
"""Asked for as text: Ray's remote functions, and the steps that `Hand` picks by an answer's name."""
THE_GUIDE_S = {"self_play_training_phase", "export_production_models", "attempt_recovery", "rollback_to_checkpoint"}
"""Asked for by the operations guide; its snippets are tests of their own, as texts."""
IN_TEMPLATES = {"holds_back", "searched_to", "asked_by", "takes_json"}
KEPT_AS_DATA = {
    # Columns of tables, and fields of records that are written and read as a whole.
    "IdempotencyKeyRow", "request_sha256", "block_shares", "largest_error", "config_hash", "mtime_ns",
    "MAP_B", "MAP_C", "MAP_D",
}  # fmt: skip
FOR_TYPES = {"BaseSampler", "FrozenTrial"}
"""Imported where a type checker looks, used in quoted annotations."""


def test_every_name_is_used_somewhere() -> None:
    look = Vulture(ignore_names=CALLED_BY_OTHERS, ignore_decorators=CALLED_BY_DECORATOR)
    look.scavenge([str(ROOT / name) for name in (*PACKAGES, "tests", "setup.py")])
    known = BY_ENTRY_POINT | BY_NAME | THE_GUIDE_S | IN_TEMPLATES | KEPT_AS_DATA | FOR_TYPES
    unused = []
    for item in look.get_unused_code(min_confidence=60):
        place = Path(item.filename).relative_to(ROOT)
        a_record = place.parts[0] == "schemas" and item.typ == "variable"  # a field: what it holds is what it is for
        if place.parts[0] in PACKAGES and str(item.name) not in known and not a_record:
            unused.append(f"{place}:{item.first_lineno} {item.typ} {item.name}")
    assert unused == []
