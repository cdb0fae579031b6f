from pathlib import Path

from schemas.database import all_backups, backups_of


def test_the_backups_of_a_database_are_found_whatever_its_name_holds(tmp_path: Path) -> None:
    database = tmp_path / "snake[1]*.db"
    backups_of(database).mkdir()
    nightly = backups_of(database) / "snake[1]*-20260101T000000Z.db"
    before_upgrade = tmp_path / "snake[1]*.db.backup-0005-20260102T000000.000000Z"
    of_another = backups_of(database) / "snake1x-20260103T000000Z.db"
    for file in (nightly, before_upgrade, of_another):
        file.touch()
    assert all_backups(database) == [before_upgrade, nightly]
