"""Text that others wrote must not control the terminal of whoever reads it."""

from collections.abc import Callable

from background_jobs import OrchestrationService, job_name
from background_jobs.core.views.outcomes import FailureView
from background_jobs.jobs import Jobs
from tests.adapters.cli.commands import EVIL, HARMLESS, run, run_on_terminal


def test_text_that_others_wrote_cannot_control_a_terminal(
    service: OrchestrationService, launch: Callable[..., None], aggregate_completion: Callable[[], None]
) -> None:
    # given params, tags and an error message of an attacker
    @job_name("halve")
    def harm(params: dict[str, str]) -> None:
        if params["n"] == EVIL:
            raise ValueError(params["n"])

    params = [{"n": EVIL}, {"n": EVIL}, {"n": "plain"}, {"n": "plain"}]
    orchestration = service.kick_off_job("halve", params, tags={"customer": EVIL, EVIL: "x"}, parallelism=1)
    launch(orchestration, jobs=Jobs([harm]))
    aggregate_completion()

    # then the terminal shows replacement characters and no control character
    for words in (["list"], ["show"], ["failures"], ["failures", "--full"], ["watch"]):
        names = [] if words == ["list"] else [orchestration.id]
        printed = run_on_terminal(*words, *names)
        assert "\x1b" not in printed.output
        assert "\x07" not in printed.output
        assert "\u202e" not in printed.output
    assert f"always has n={HARMLESS}" in run_on_terminal("failures", orchestration.id).stdout
    cancelled = service.kick_off_job("other", [{}])
    cancelled.cancel(EVIL)
    assert HARMLESS in run("show", cancelled.id).stdout
    assert HARMLESS in run("list").stdout
    assert HARMLESS in run("failures", "--full", orchestration.id).stdout
    # and JSON has the original text
    full, _ = run("failures", orchestration.id, "--full", "--json").stdout.splitlines()
    assert FailureView.model_validate_json(full).params == {"n": EVIL}
