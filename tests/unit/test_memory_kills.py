"""What the kernel tells of processes that it ended because memory was full."""

from pathlib import Path

import pytest

from background_jobs.worker import memory_kills

SECOND = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"
FIRST = "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"


@pytest.mark.parametrize(("text", "count"), [(SECOND, 2), (FIRST, 2), ("oom_kill_disable 0\n", 0), (None, 0)])
def test_processes_that_were_ended_are_counted_under_either_version_of_cgroups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, count: int
) -> None:
    file = tmp_path / "memory"
    if text is not None:
        file.write_text(text)
    monkeypatch.setattr(memory_kills, "_FILES", (tmp_path / "missing", file))
    assert memory_kills.count_memory_kills() == count
