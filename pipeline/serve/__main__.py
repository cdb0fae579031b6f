"""`python -m pipeline.serve`: the same as `ouroboros serve`."""

from pipeline.serve.command import serve

serve()
