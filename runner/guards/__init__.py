"""Whether a run may start now: `probe` looks at the machine, `rules` decides, `choice` picks the worker."""
