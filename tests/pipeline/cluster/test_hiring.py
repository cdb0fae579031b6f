"""A node that starts its player late is given longer, and not for ever."""

from pipeline.cluster.hiring import HIRE_S, TRIES, Hiring


def test_each_try_may_take_twice_as_long_and_their_number_is_bounded() -> None:
    hiring, told = Hiring(), list[str]()
    for number in range(TRIES):
        assert hiring.limit_s("desk") == HIRE_S * 2**number
        assert not hiring.gave_up("desk")
        told.append(hiring.missed("desk"))
    assert hiring.gave_up("desk")
    assert told[0] == "it did not answer within 60 s; it is given 120 s the next time"
    assert told[-1].startswith("it did not answer within 480 s, the last of 4 tries; it is asked again once it has")
    assert not hiring.gave_up("attic")
    assert hiring.limit_s("attic") == HIRE_S


def test_who_plays_or_goes_begins_anew() -> None:
    hiring = Hiring()
    for clear in (hiring.answered, hiring.forget):
        hiring.missed("desk")
        clear("desk")
        assert hiring.limit_s("desk") == HIRE_S
