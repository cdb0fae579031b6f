"""Games that training keeps."""

from litestar import get

from runner.web.api.answers import READS
from runner.web.site import Site
from runner.web.training_games import TrainingGame, list_games


@get("/training/games", responses=READS, summary="The newest games that training keeps")
async def training_games(site: Site) -> list[TrainingGame]:
    """As `ouroboros game list`, in a process of its own: it loads the engine."""
    return await list_games(site)
