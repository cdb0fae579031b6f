"""`ouroboros tune apply` and `revert`: the file as it is, be it broken, is kept and replaced."""

from tuning_bench import Bench, Climber

from pipeline.tuner.weights_on_disk import Which, put_back


def test_a_file_that_an_edit_broke_can_be_taken_back(bench: Bench) -> None:
    first = bench.config.read_bytes()
    bench.trainer(Climber, max_iterations=1).train()
    broken = b"body: [1,\r\n\tx: \xff\n"
    bench.config.write_bytes(broken)
    told = put_back(bench.state, None, Which.FIRST)
    assert bench.config.read_bytes() == first
    assert "holds the first weights" in told and told.encode()
    (kept,) = bench.state.glob("before_first_*.yaml")
    assert kept.read_bytes() == broken
