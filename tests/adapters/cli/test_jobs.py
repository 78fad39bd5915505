"""`background-jobs jobs`, `kick-off --param` and `publish-jobs`."""

import json
import tracemalloc
from pathlib import Path

import pytest
from pydantic import BaseModel

from background_jobs import OrchestrationService, job_name
from background_jobs.core.views.jobs import KickOffPreview
from background_jobs.jobs import Jobs
from background_jobs.settings import Settings
from tests.adapters.cli.commands import run

MAIN = '''
from pydantic import BaseModel
from background_jobs import job_name, run_e11_job

class Params(BaseModel):
    customer: str

@job_name("bill")
def bill(params: Params) -> None:
    """Send a bill."""

run_e11_job([bill])
'''


class Half(BaseModel):
    n: int
    unit: str = "pieces"


@job_name("halve")
def halve(params: Half) -> None:
    """Halve a number."""


@pytest.fixture
def published(settings: Settings) -> None:
    OrchestrationService(settings).publish_jobs(Jobs([halve]).describe())


@pytest.mark.usefixtures("published")
def test_jobs_are_listed_with_their_params() -> None:
    """One that has published nothing is there by its name."""
    assert run("jobs").stdout.splitlines() == [
        "halve\tdefault\tn [unit]\tHalve a number.\t",
        "other\tdefault\t\t\t",
    ]


@pytest.mark.usefixtures("published")
def test_one_job_is_shown_with_types_and_defaults() -> None:
    shown = dict(line.split("\t") for line in run("jobs", "halve").stdout.splitlines())
    assert shown["description"] == "Halve a number."
    assert shown["params_schema.properties.unit.default"] == "pieces"
    assert json.loads(run("jobs", "halve", "--json").stdout)["params_schema"]["required"] == ["n"]


def test_a_job_is_shown_with_its_aliases_and_found_under_each(settings: Settings) -> None:
    """Its old name, which the settings still have, is no job of its own."""
    part = job_name("part", aliases=["halve"])(lambda params: None)
    OrchestrationService(settings).publish_jobs(Jobs([part]).describe())
    listed = [line.split("\t") for line in run("jobs").stdout.splitlines()]
    assert [(name, aliases) for name, *_, aliases in listed] == [("other", ""), ("part", "halve")]
    shown = [json.loads(run("jobs", name, "--json").stdout) for name in ("part", "halve")]
    assert [(job["name"], job["aliases"]) for job in shown] == [("part", ["halve"])] * 2


def test_an_unknown_job_is_refused() -> None:
    result = run("jobs", "quarter")
    assert result.exit_code == 2
    assert "There is no job named 'quarter'" in result.stderr


@pytest.mark.usefixtures("published")
def test_params_of_a_kick_off_are_typed_by_the_schema(settings: Settings) -> None:
    result = run("kick-off", "halve", "--param", "n=8", "--param", "unit=8")
    orchestration = OrchestrationService(settings).orchestration(result.stdout.strip())
    assert orchestration.instance(0).params == {"n": 8, "unit": "8"}


@pytest.mark.usefixtures("published")
def test_a_dry_run_holds_a_file_to_the_schema_and_starts_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"n": 8}\n{"m": 8}\n{"n": 9}\n')

    found = run("kick-off", "halve", str(tmp_path / "p.jsonl"), "--dry-run", "--parallelism", "2")
    fits = run("kick-off", "halve", "--dry-run", "--json", stdin='{"n": 8}\n')

    assert (found.exit_code, found.stdout.splitlines()) == (
        4,
        [
            "3 instances of halve would run in 2 containers, up to 2 in each",
            '#0 {"n": 8}',
            '#1 {"m": 8}',
            '#2 {"n": 9}',
        ],
    )
    assert found.stderr.splitlines() == [
        "Error: #1 does not fit: n is required",
        "halve has no param 'm', which is in 1 instance.",
    ]
    assert (fits.exit_code, KickOffPreview.model_validate_json(fits.stdout).problems) == (0, ())
    assert OrchestrationService(settings).history().summaries == []

    # and it refuses what a kick-off does, by the same place
    refused = run("kick-off", "halve", "--dry-run", "--json", stdin='{"n": 8}\n{"n": "\\ud800"}\n')
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert refused.stderr.startswith("Error: standard input, line 2: they cannot be written as JSON")
    assert run("kick-off", "halve", "--dry-run", "--watch", stdin="{}").exit_code == 2


@pytest.mark.usefixtures("published")
def test_a_dry_run_takes_the_texts_of_csv_as_typed_params_do(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("n,unit\n8,7\nmany,kg\n")

    found = run("kick-off", "halve", str(tmp_path / "p.csv"), "--dry-run")

    assert found.stderr.startswith("Error: #1 does not fit: n must be a whole number")
    assert found.stderr.count("does not fit") == 1


@pytest.mark.usefixtures("published")
def test_a_dry_run_tells_of_params_that_the_job_does_not_know() -> None:
    done = run(
        "kick-off", "halve", "--dry-run", stdin='{"n": 8, "unti": "kg"}\n{"n": 8}\n{"n": 9, "unti": "g"}\n'
    )
    assert done.exit_code == 0
    assert "halve has no param 'unti', which is in 2 instances." in done.stderr


@pytest.mark.usefixtures("published")
def test_a_dry_run_does_not_hold_the_file_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("background_jobs.orchestration_service.jobs.PREVIEW_CHECKED", 10)
    (tmp_path / "p.jsonl").write_text(f'{{"n": 8, "unit": "{"x" * 10_000}"}}\n' * 1_000)

    tracemalloc.start()
    try:
        preview = run("kick-off", "halve", str(tmp_path / "p.jsonl"), "--dry-run", "--json")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert KickOffPreview.model_validate_json(preview.stdout).instances == 1_000
    assert peak < 6_000_000


@pytest.mark.parametrize(
    "options",
    [["--parallelism", "1001"], ["--notify", "nobody"], ["--then", "nothing"], ["--key", "k" * 257]],
)
@pytest.mark.usefixtures("published")
def test_a_dry_run_refuses_the_options_that_a_kick_off_refuses(options: list[str]) -> None:
    ways = [run("kick-off", "halve", *options, *dry, stdin='{"n": 8}\n') for dry in ([], ["--dry-run"])]
    assert ways[0].exit_code == ways[1].exit_code == 2
    assert ways[0].stderr == ways[1].stderr != ""


@pytest.mark.usefixtures("published")
def test_params_that_do_not_fit_are_refused_by_the_name_of_the_field(settings: Settings) -> None:
    result = run("kick-off", "halve", "--param", "n=many", "--param", "unit=kg")
    assert result.exit_code == 2
    assert 'n must be a whole number, not "many"' in result.stderr
    # a field that is misspelt is none that the job would leave out
    result = run("kick-off", "halve", "--param", "n=8", "--param", "units=kg")
    assert result.exit_code == 2
    assert "it has no param 'units'" in result.stderr
    assert OrchestrationService(settings).history().summaries == []


def test_what_an_image_tells_is_published(settings: Settings, tmp_path: Path) -> None:
    main = tmp_path / "main.py"
    main.write_text(MAIN)
    assert run("publish-jobs", "--jobs", str(main)).exit_code == 0
    job = OrchestrationService(settings).job("bill")
    assert (job.description, job.is_described, job.service) == ("Send a bill.", True, "default")


def test_the_jobs_of_a_main_that_calls_twice_are_not_published(tmp_path: Path, settings: Settings) -> None:
    """Containers run those of the first call alone."""
    (tmp_path / "main.py").write_text(f"{MAIN}\nrun_e11_job([bill])\n")
    done = run("publish-jobs", "--jobs", str(tmp_path / "main.py"))
    assert done.exit_code == 2
    assert "it calls run_e11_job([...]) more than once: list all jobs in one call." in done.stderr
