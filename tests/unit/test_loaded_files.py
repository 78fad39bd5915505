"""Whether a file was edited since it was loaded."""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from background_jobs.worker.loaded_files import are_current, forget_edited, read_start, stamp_loaded

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere containers are not forked")


@pytest.mark.parametrize("age", [0, 1_000_000])
def test_what_was_loaded_of_a_file_is_known_if_it_is_older_than_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    """A file may be edited after it was read, and before anybody looks when it was written."""
    # given a module whose file was written so many seconds ago
    path = tmp_path / "jobs.py"
    path.write_text("VERSION = 1")
    written = path.stat().st_mtime - age
    os.utime(path, (written, written))
    module = ModuleType("jobs_of_a_team")
    module.__file__ = str(path)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    stamps = forget_edited({str(path): stamp_loaded()[str(path)]}, since=read_start())

    assert are_current(stamps) == (age > 0)
    path.unlink()
    assert not are_current(stamps)
