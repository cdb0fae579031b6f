"""What a value left out of a row means, and by which letter a row names the others: the views and the columns read the
same text.

Rows lean on these for ever: they are never edited, not even when a model's defaults change. A field that a base lacks
is simply written out in each row; a later revision of the database may bring new bases.
"""

import json
import string

STATE_BASE = (
    '{"status":"idle","current_phase":null,"current_model":null,"champion_model":null,"phases_completed":[],'
    '"progress_percentage":0.0,"total_training_time_hours":0.0,"total_games_processed":0,"total_models_trained":0,'
    '"best_win_rate":0.0,"best_win_rate_low":null,"best_win_rate_high":null,"best_win_rate_games":0,'
    '"best_model_version":null,"inference_time_ms":null,"operation_details":"","iteration":0,"games_per_second":null,'
    '"seed":null,"last_error":null,"error_count":0,"consecutive_failures":0,"cpu_usage_percent":null,'
    '"memory_usage_percent":null,"disk_usage_percent":null,"updated_at":null}'
)
"""Of `executions.pipeline_state_json`."""
USAGE_BASE = (
    '{"samples":0,"peak_memory_mb":0.0,"mean_cpu_percent":0.0,"peak_cpu_percent":0.0,"cpu_time_s":0.0,'
    '"peak_processes":0,"peak_gpu_memory_mb":null,"mean_gpu_percent":null}'
)
"""Of `executions.resource_usage_json`."""

_LONG = 10


def letters(base: str) -> dict[str, str]:
    """The fields of a base with a long name, and the letter that stands for each in a row: such names are most of it.
    Any other field is written out. (SQLite's parser takes a view of up to 24 of them; a base has up to 23.)"""
    return dict(zip((name for name in json.loads(base) if len(name) >= _LONG), string.ascii_letters, strict=False))
