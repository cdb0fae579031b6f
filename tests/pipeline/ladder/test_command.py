"""`ouroboros arena` as it is typed: exit codes, what is printed, and what is never printed."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from arena_stand_in import RIVAL, TOKEN, status
from ladder_bench import Bench

from pipeline.ladder.token import keep_token, read_token
from runner import cli
from runner.commands.doctor import check_arena
from schemas.errors import MachineError, SettingsError
from schemas.ladder import TOKEN_VARIABLE, ArenaSettings

Typed = Callable[..., tuple[int, str]]


@pytest.fixture
def typed(bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command; its exit code and all that it printed."""
    monkeypatch.setenv("OUROBOROS_HOME", str(bench.home))
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    bench.settings.save_to_file(bench.home / "settings.json")

    def run(*words: str) -> tuple[int, str]:
        try:
            code = cli.run(["arena", *words])
        except SystemExit as error:
            code = int(str(error.code))
        out, err = capsys.readouterr()
        assert TOKEN not in out + err
        return code, out + err

    return run


def kept_token(bench: Bench) -> Path:
    return bench.settings.arena_dir / "token"


def test_a_token_is_tried_before_it_is_kept(bench: Bench, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = typed("login")
    assert (code, "there is no token for the Arena" in said) == (2, True)
    monkeypatch.setenv(TOKEN_VARIABLE, "another")
    code, said = typed("login")
    assert (code, "Invalid or revoked token" in said) == (2, True)
    assert not kept_token(bench).exists()
    given = bench.home / "given"
    given.write_text(TOKEN + "\n")
    given.chmod(0o644)
    code, said = typed("login", "--token-file", str(given))
    assert (code, f"chmod 600 {given}" in said) == (2, True)
    given.chmod(0o600)
    code, said = typed("login", "--token-file", str(given))
    assert (code, "Ouroboros" in said) == (0, True)
    assert stat.S_IMODE(kept_token(bench).stat().st_mode) == 0o600
    assert stat.S_IMODE(kept_token(bench).parent.stat().st_mode) == 0o700
    monkeypatch.delenv(TOKEN_VARIABLE)
    assert typed("snakes")[0] == 0
    for text in ("", "two words", "line\nbreak", "x" * 5000, "\x00"):
        kept_token(bench).write_text(text)
        with pytest.raises(SettingsError, match="is no token"):
            read_token(bench.settings)


def test_from_the_token_to_the_standing(bench: Bench, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    code, said = typed("standing")
    assert (code, said) == (0, "Nothing was fetched from the Arena yet: `ouroboros arena sync`.\n")
    bench.world.games_played, bench.world.rating = 12, 8.25
    lost, won = bench.world.add("lost"), bench.world.add("duel")
    code, said = typed("sync")
    assert code == 0
    assert said.splitlines()[:2] == [f"{lost}: loss after 34 turns", f"{won}: win after 345 turns"]
    assert "2 games fetched; " in said
    code, said = typed("sync", "--format", "json")
    assert (code, json.loads(said)["games"]) == (0, 0)
    code, said = typed("standing")
    assert code == 0
    assert "1 of 2" in said
    assert "50.0 % [" in said
    assert "Rival" in said
    code, said = typed("standing", "--format", "json")
    told = json.loads(said)
    assert [(place["rating"], place["rank"]) for place in told["places"]] == [(8.25, 1)]
    assert [(other["name"], other["lost"]) for other in told["beaten_by"]] == [("Rival", 1)]
    assert typed("register", "--games", "2")[0] == 0
    assert json.loads(typed("standing", "--format", "json")[1])["records"][0]["registered"][0]["games"] == 2
    code, said = typed("register", "Nobody")
    assert (code, "which snake is meant? (snakes with ladder games: Ouroboros)" in said) == (2, True)
    assert cli.run(["status"]) == 0


def test_the_doctor_tells_how_the_arena_is_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    assert check_arena(bench.settings) == "not asked: there is no token (`ouroboros arena login`)"
    keep_token(bench.settings, TOKEN)
    assert check_arena(bench.settings) == "asked every 15 minutes; not yet"
    bench.world.add("lost")
    bench.sync()
    assert "1 games fetched, 0 wait" in check_arena(bench.settings)
    bench.world.fail("/api/snakes", status(401, "Invalid or revoked token"))
    bench.sync()
    with pytest.raises(MachineError, match=r"refuses the token"):
        check_arena(bench.settings)
    kept_token(bench).chmod(0o640)
    with pytest.raises(SettingsError, match=r"chmod 600"):
        check_arena(bench.settings)


def test_a_challenge_names_its_snakes(bench: Bench, typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    code, said = typed("challenge", "Rival")
    assert (code, "no snake 'Rival' is known here" in said) == (2, True)
    bench.world.add("lost")
    typed("sync")
    code, said = typed("challenge", "Rival", "--games", "2", "--format", "json")
    assert code == 0
    assert len(json.loads(said)["games"]) == 2
    assert {snake["id"] for snake in bench.world.games[-1]["snakes"]} == set(json.loads(said)["snakes"])
    assert typed("challenge", RIVAL)[0] == 0
    assert typed("challenge", "Rival", "--as", "Nobody")[0] == 2
    assert typed("challenge", "a", "b", "c", "d")[0] == 2
    stranger = "99999999-0000-4000-8000-000000000000"
    code, said = typed("challenge", stranger)
    assert (code, f"Snake {stranger} not found or not accessible" in said) == (2, True)
    bench.world.fail("/api/games", status(429, "Rate limit exceeded: max 20 games", Retry_After="600"))
    code, said = typed("challenge", "Rival")
    assert (code, "Try again in 10 minutes" in said) == (75, True)


def test_an_arena_away_is_told_with_its_own_exit_code(
    bench: Bench, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    away = bench.settings.model_copy(update={"arena": ArenaSettings(base_url="http://127.0.0.1:1", sync_limit_s=5)})
    away.save_to_file(bench.home / "settings.json")
    code, said = typed("sync")
    assert (code, "the Arena cannot be asked: no connection" in said) == (75, True)
    code, said = typed("why")
    assert (code, "no lost game is kept here" in said) == (2, True)


@pytest.mark.parametrize(
    "url", ["arena.battlesnake.com", "ftp://a", "http://a.example", "https://u:p@a", "https://a?b=c"]
)
def test_an_address_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url"):
        ArenaSettings(base_url=url)
