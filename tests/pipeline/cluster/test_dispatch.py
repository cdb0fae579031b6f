"""Who plays which game: windows by speed, late games twice, nothing lost."""

from pipeline.cluster.dispatch import HERE, Dispatch, key_of
from pipeline.tuner.backends import GameOrder
from pipeline.tuner.jobs import JobKind, MatchJob, Participant, PlayConditions, SourceKind


def orders(count: int, name: str = "j") -> list[GameOrder]:
    people = (Participant(SourceKind.WEIGHTS, "a"), Participant(SourceKind.WEIGHTS, "b"))
    job = MatchJob(name, JobKind.PROBE, people, (0, 1), tuple(range(count)), PlayConditions())
    return [GameOrder(job, number) for number in range(count)]


def run(dispatch: Dispatch, rates: dict[str, float], seconds: float) -> dict[str, int]:
    """Nodes that play so many games a second, one after the other."""
    held: dict[str, list] = {name: [] for name in rates}
    debt = dict.fromkeys(rates, 0.0)
    done = dict.fromkeys(rates, 0)
    for tick in range(int(seconds * 20)):
        now = tick / 20
        for name, given in dispatch.deal(now).items():
            held[name] += given
        for name, rate in rates.items():
            debt[name] += rate / 20
            while debt[name] >= 1 and held[name]:
                debt[name] -= 1
                if dispatch.ended(name, key_of(held[name].pop(0)), now) is not None:
                    done[name] += 1
            debt[name] = min(debt[name], 1.0)
    return done


def test_a_slow_node_gets_fewer() -> None:
    dispatch = Dispatch()
    dispatch.join("quick", 4, 64)
    dispatch.join("slow", 4, 64)
    dispatch.submit(orders(2000))
    done = run(dispatch, {"quick": 40.0, "slow": 2.0}, 20)
    assert done["quick"] > 700
    assert 30 <= done["slow"] <= 41
    assert dispatch.at("slow") < 12 < dispatch.at("quick")


def test_the_last_games_do_not_wait_for_a_node_that_stands() -> None:
    dispatch = Dispatch()
    dispatch.join("quick", 1, 64)
    dispatch.join("stuck", 1, 64)
    dispatch.submit(orders(20))
    done = run(dispatch, {"quick": 10.0, "stuck": 0.0}, 12)
    assert done == {"quick": 20, "stuck": 0}
    assert dispatch.open == 0


def test_the_first_answer_counts_and_the_second_does_not() -> None:
    dispatch = Dispatch()
    dispatch.join("a", 1, 8)
    dispatch.submit(orders(1))
    (order,) = dispatch.deal(0.0)["a"]
    assert dispatch.forsake("a") == 1
    dispatch.join("b", 1, 8)
    assert dispatch.deal(1.0) == {"b": [order]}
    assert dispatch.ended("a", key_of(order), 2.0) is order
    assert dispatch.ended("b", key_of(order), 2.0) is None
    assert dispatch.ended("b", ("never", 0), 2.0) is None


def test_a_lost_nodes_games_come_first_and_in_order() -> None:
    dispatch = Dispatch()
    dispatch.join("a", 2, 4)
    dispatch.submit(orders(8))
    had = dispatch.deal(0.0)["a"]
    assert dispatch.leave("a") == len(had) == 4
    dispatch.join("b", 8, 8)
    assert [order.number for order in dispatch.deal(1.0)["b"]] == list(range(8))


def test_what_only_this_machine_may_play_waits_for_it() -> None:
    dispatch = Dispatch()
    dispatch.join("a", 8, 8)
    dispatch.submit(orders(2))
    first, second = dispatch.deal(0.0)["a"]
    assert dispatch.only_here(key_of(first))
    assert not dispatch.only_here(key_of(first))
    assert dispatch.deal(1.0) == {}
    assert dispatch.ended("a", key_of(first), 1.0) is None
    dispatch.join(HERE, 1, 1)
    assert dispatch.deal(2.0) == {HERE: [first]}
    assert dispatch.ended(HERE, key_of(first), 3.0) is first
    assert dispatch.ended("a", key_of(second), 3.0) is second
    assert dispatch.open == 0
