import os

import pytest

from schemas.person import user_name


def test_whom_nobody_has_named_is_told_by_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert user_name() == f"user {os.getuid()}"


def test_a_name_that_no_row_can_hold_is_made_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", os.fsdecode(b"ann\xff\x1b[31m"))
    assert user_name() == r"ann\xff\x1b[31m"
