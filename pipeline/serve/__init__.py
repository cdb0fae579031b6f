"""A model file in production: the API server, shadow mode, and the model as a player of the arena (no torch)."""
