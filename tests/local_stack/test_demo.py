"""What the demo tells people to do next works when it is pasted."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def test_what_the_demo_says_to_try_next_works_when_it_is_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # given the lines that the demo prints in the folder of the repository
    monkeypatch.syspath_prepend(str(REPOSITORY / "examples" / "stdlib_census"))
    monkeypatch.chdir(REPOSITORY)
    import census

    census.console.file = sys.stdout
    census._print_next_steps(Path(sysconfig.get_path("stdlib")), iter(["this.py"]))
    said = capsys.readouterr().out
    lines = said.partition("in this shell:")[2]
    # when they are pasted into a shell
    pasted = subprocess.run(
        ["bash", "-e", "-c", lines],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        cwd=REPOSITORY, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    # then the instance runs, its result is printed, and the page of it is named
    assert pasted.returncode == 0, pasted.stderr
    *_, result, page = pasted.stdout.splitlines()
    assert '"path": "this.py"' in result
    assert page.startswith("http")
    assert f"The offline stack of {REPOSITORY} is down." in pasted.stderr
