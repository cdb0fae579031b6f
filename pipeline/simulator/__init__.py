"""Many games between players, played in one batch: exact, reproducible, every game replayable."""
