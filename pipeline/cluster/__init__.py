"""Games on other machines: one more backend of the tuner's queue, over Ray.

`backend` deals games out between this machine and the nodes (`dispatch` decides), `bridge` is the process that speaks
Ray for it, `player` the actor on each node, `census` what `ouroboros cluster status` asks. Ray is imported in
`bridge_child`, `census` and `player` alone, which run in processes of their own: whatever Ray does to its process, the
run's own goes on.
"""
