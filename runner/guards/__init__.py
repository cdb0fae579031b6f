"""Whether a run may start now, and by which worker.

`Probe.snapshot` looks at the machine, each look with a deadline; `rules.decide` says yes, or to wait with the reason;
`choose_worker` picks pipeline or tuner. A figure that cannot be had blocks nothing that nobody asked for.
"""
