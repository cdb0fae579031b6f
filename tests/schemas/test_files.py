import errno
import os
import stat
from pathlib import Path

import pytest

from schemas.files import write_atomic


@pytest.mark.parametrize("trouble", [errno.EINVAL, errno.EIO])
def test_a_file_system_that_syncs_no_folder_takes_files_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: int
) -> None:
    real = os.fsync

    def for_files_alone(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(trouble, os.strerror(trouble))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", for_files_alone)
    if trouble == errno.EIO:
        with pytest.raises(OSError, match="Input/output error"):
            write_atomic(tmp_path / "a", "text")
    else:
        write_atomic(tmp_path / "a", "text")
    assert (tmp_path / "a").read_text() == "text"
