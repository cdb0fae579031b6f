"""Games on other machines: one more backend of the tuner's queue, over Ray.

`backend` deals games out between this machine and the nodes (`dispatch` decides), `bridge` is the process that speaks
Ray for it, `node_actor` the actor on each node, `status` what `ouroboros cluster status` asks. Ray is imported in
`bridge_child`, `status` and `node_actor` alone, which run in processes of their own: whatever Ray does to its process,
the run's own goes on.
"""
