"""The state machine, checked against the language's schema and run by an independent interpreter.

That interpreter plays what a child does (choice, container, retries, catches, closing) and, its Map inlined,
what the execution does. What it has not: the ItemReader, tolerated failures, and children of their own; and
it looks for TimeoutSecondsPath in the Parameters, where AWS looks in the input, so it is given the seconds.
"""

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import botocore.session
import pytest
from botocore.validate import ParamValidator

from background_jobs.aws.state_machine import FanOutInput
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.network_config import ExistingSubnets
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.core.containers.delays import DelayReason
from background_jobs.core.containers.relaunch import Tries, decide_relaunch
from background_jobs.core.containers.shares import cut_shares
from background_jobs.core.containers.variables import CONTAINER_NAME
from background_jobs.settings import ContainerSettings
from tests.infrastructure.conftest import Synthesize, of_type, run_node, text_of
from tests.infrastructure.interpreter import Interpreter

SHARE: Final = json.loads(
    next(iter(cut_shares([10], 1, 1))).manifest_line("0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11")
)
CHILD: Final = {
    "orchestration_id": "0b0e3f3c-1c58-4c0e-9d54-6f3c2d0a7c11",
    "job_name": "census",
    "task_definition": "background-jobs-prod-default",
    "capacity_provider": "FARGATE",
    "platform_version": "LATEST",
    "params_key": "orchestrations/x/params.jsonl",
    "share": SHARE,
    "number": 1,
    "warm_queue": "https://sqs/queue",
    "warm_shares": 1,
    "left": {"instances": None},
    "delay": {
        "given_up": False,
        "container_seconds": 1,
        "tries": Tries().model_dump(mode="json"),
        "size": None,
    },
}
THROTTLED: Final = {
    "error": "ECS.InvalidParameterException",
    "cause": "Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)",
}
REFUSED: Final = {"error": "ECS.AccessDeniedException", "cause": "not authorized to perform: ecs:RunTask"}
LOST: Final = {"error": "States.TaskFailed", "cause": '{"TaskArn": "arn", "StopCode": "TaskFailedToStart"}'}
BROKEN: Final = {"error": "ValueError", "cause": "raised in the function"}
DONE: Final = {"TaskArn": "arn", "Containers": [{"ExitCode": 0}]}
CLOSED: Final = {"Payload": {"closed": 1, "left": 0}}
LEFT: Final = {"Payload": {"closed": 0, "left": 3}}
QUOTA: Final = {"error": "ECS.ClientException", "cause": "You've reached the limit on the number of vCPUs"}
NO_CAPACITY: Final = {"error": "AmazonECS.Unknown", "cause": '{"Failures": [{"Reason": "RESOURCE:CPU"}]}'}
ANSWER: Final = {"given_up": False, "wait_seconds": 0, "container_seconds": 1, "size": None}
NOTED: Final = {"Payload": {**ANSWER, "tries": {**Tries().model_dump(), "waits": 7}}}
LARGER: Final = {"cpu": "1024", "memory_mib": "2048", "after_out_of_memory": "true"}
GROWN: Final = {"Payload": {**ANSWER, "tries": Tries().model_dump(), "size": LARGER}}
GIVEN_UP: Final = {"Payload": {**ANSWER, "given_up": True, "tries": Tries().model_dump()}}
SPENT: Final = {"waits": 9, "refusals": 1, "losses": 5, "notes": 4, "noted": DelayReason.LOST}

Played = dict[str, Any]


CHEAP: Final = ServiceConfig(name="cheap", image="i", spot=True, max_memory_mib=8192)
LEARNING: Final = ServiceConfig(name="learning", image="i", capacity_provider="gpu-asg", gpus=1)
PRIVATE: Final = ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1")


EAGER: Final = ServiceConfig(name="eager", image="i", warm=2)


@pytest.fixture(params=[(), (CHEAP, LEARNING, EAGER)], ids=["on demand", "with all options"])
def definition(request: pytest.FixtureRequest, synthesized: Synthesize) -> dict[str, Any]:
    """The definition as it is deployed, names of resources standing for their ARNs."""
    environment = load_environment("prod")
    services = (*environment.services, *request.param)
    template = synthesized(environment.model_copy(update={"services": services, "network": PRIVATE}))
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    found: dict[str, Any] = json.loads(text_of(machine["DefinitionString"]))
    return found


@pytest.fixture
def play(interpreter: Interpreter, definition: dict[str, Any]) -> Callable[..., Played]:
    """Run one child, or with *whole* the execution, its tasks answering as *script* says."""

    def run(script: Mapping[str, Any], *, whole: bool = False, **fields: Any) -> Played:
        given: dict[str, Any] = {**CHILD, **fields}
        child = {**definition["States"]["FanOut"]["ItemProcessor"], "ProcessorConfig": {"Mode": "INLINE"}}
        for state in child["States"].values():
            if state.pop("TimeoutSecondsPath", None):
                state["TimeoutSeconds"] = given["delay"]["container_seconds"]
        machine = {"StartAt": child["StartAt"], "States": child["States"]}
        if whole:
            fan_out = {k: v for k, v in definition["States"]["FanOut"].items() if k not in DISTRIBUTED}
            fan_out |= {"ItemsPath": "$.shares", "ItemProcessor": child}
            machine = {**definition, "States": {**definition["States"], "FanOut": fan_out}}
            given |= {"bucket": "b", "shares_key": "k", "parallelism": 2, "total": 3, "warm_shares": 0}
            given |= {"container_seconds": 1, "shares": [SHARE] * 3}
        answers = {"NoteDelay": [NOTED], **script}
        return interpreter.run({"definition": machine, "input": given, "script": answers})

    return run


DISTRIBUTED: Final = ("ItemReader", "Label", "ToleratedFailurePercentage")


def run_container(definition: Mapping[str, Any], state: str = "RunContainer") -> dict[str, Any]:
    found: dict[str, Any] = definition["States"]["FanOut"]["ItemProcessor"]["States"][state]
    return found


def lint(node: Path, definition: Mapping[str, Any], folder: Path) -> str:
    (folder / "definition.json").write_text(json.dumps(definition))
    linter = node / "node_modules" / "asl-validator" / "dist" / "bin" / "asl-validator.js"
    done = run_node(linter, "--json-path", str(folder / "definition.json"))
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_an_independent_linter_finds_nothing(node: Path, definition: dict[str, Any], tmp_path: Path) -> None:
    assert lint(node, definition, tmp_path) == ""


def test_the_linter_would_find_a_state_that_leads_nowhere(
    node: Path, definition: dict[str, Any], tmp_path: Path
) -> None:
    definition["States"]["Settle"]["Next"] = "Nowhere"
    assert "Nowhere" in lint(node, definition, tmp_path)


def test_a_container_that_ends_well_is_all_that_a_child_does(play: Callable[..., Played]) -> None:
    played = play({"RunContainer": [DONE], "CloseShare": [CLOSED]})
    assert (played["status"], played["output"]) == ("SUCCEEDED", {})
    assert [len(played["calls"][state]) for state in ("RunContainer", "CloseShare")] == [1, 0]


def test_a_child_asks_for_the_container_of_its_share(play: Callable[..., Played]) -> None:
    played = play({"RunContainer": [DONE], "CloseShare": [CLOSED]})
    (request,) = played["calls"]["RunContainer"]
    assert request["TaskDefinition"] == "background-jobs-prod-default"
    (override,) = request["Overrides"]["ContainerOverrides"]
    variables = {variable["Name"]: variable["Value"] for variable in override["Environment"]}
    container = ContainerSettings.from_env(variables)
    assert (container.job_name, container.indices, container.params_bytes) == ("census", "0-0", "0-9")
    assert all(isinstance(value, str) for value in variables.values()), "ECS takes text only"


def calls(played: Played, *states: str) -> list[int]:
    return [len(played["calls"][state]) for state in states]


@pytest.mark.parametrize("failure", [QUOTA, NO_CAPACITY, THROTTLED], ids=["quota", "capacity", "throttled"])
def test_a_launch_is_tried_for_as_long_as_the_function_says(
    play: Callable[..., Played], failure: Mapping[str, str]
) -> None:
    played = play({"RunContainer": [failure] * 30 + [DONE], "CloseShare": [CLOSED]})
    assert (played["status"], *calls(played, "RunContainer", "CloseShare")) == ("SUCCEEDED", 31, 0)
    first, second = played["calls"]["NoteDelay"][:2]
    assert first["Payload"].pop("size", None) is None
    assert first["Payload"] == {
        "orchestration_id": CHILD["orchestration_id"],
        "share": "0",
        "capacity_provider": "FARGATE",
        "error": {"Error": failure["error"], "Cause": failure["cause"]},
        "tries": Tries().model_dump(mode="json"),
    }
    assert second["Payload"]["tries"]["waits"] == 7, "each report has what the answer before said"


def camel(value: Any) -> Any:
    """Spell the names of a request as ECS does; Step Functions begins them with a capital."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: camel(item) for name, item in value.items()}
    return value


def run_states(definition: Mapping[str, Any]) -> list[str]:
    states = definition["States"]["FanOut"]["ItemProcessor"]["States"]
    return [name for name, state in states.items() if "ecs:runTask" in state.get("Resource", "")]


PROVIDERS: Final = {"RunContainer": "FARGATE", "RunOnEc2": "gpu-asg", "RunLarger": "FARGATE"}


def test_a_launch_is_a_request_as_botocore_knows_it(
    play: Callable[..., Played], definition: dict[str, Any]
) -> None:
    model = botocore.session.get_session().get_service_model("ecs").operation_model("RunTask")
    assert model.input_shape is not None
    for state in run_states(definition):
        delay = {**CHILD["delay"], "size": LARGER if state == "RunLarger" else None}
        script = {state: [DONE], "CloseShare": [CLOSED]}
        played = play(script, capacity_provider=PROVIDERS[state], delay=delay)
        report = ParamValidator().validate(camel(played["calls"][state][0]), model.input_shape)
        assert not report.has_errors(), report.generate_report()


def test_a_throttled_launch_is_tried_again_before_the_function_is_asked_and_a_quota_is_not(
    play: Callable[..., Played],
) -> None:
    played = play({"RunContainer": [THROTTLED] * 2 + [DONE], "CloseShare": [CLOSED]})
    assert calls(played, "RunContainer", "NoteDelay") == [3, 0]
    played = play({"RunContainer": [QUOTA] * 2 + [DONE], "CloseShare": [CLOSED]})
    assert calls(played, "RunContainer", "NoteDelay") == [3, 2]


@pytest.mark.parametrize(
    "failure", [QUOTA, REFUSED, LOST], ids=["past its deadline", "refused for good", "lost too often"]
)
def test_a_launch_that_is_given_up_ends_in_closing_with_the_error_of_the_launch(
    play: Callable[..., Played], failure: Mapping[str, str]
) -> None:
    script = {"RunContainer": [failure], "NoteDelay": [NOTED, NOTED, GIVEN_UP], "CloseShare": [CLOSED]}
    played = play(script)
    assert (played["status"], *calls(played, "RunContainer", "NoteDelay")) == ("SUCCEEDED", 3, 3)
    (request,) = played["calls"]["CloseShare"]
    assert request["Payload"] == {
        "orchestration_id": CHILD["orchestration_id"],
        "indices": "0-0",
        "left_before": None,
        "error": {"Error": failure["error"], "Cause": failure["cause"]},
    }


def test_a_share_that_made_progress_gets_a_whole_budget_of_launches_again(
    play: Callable[..., Played],
) -> None:
    spent = {"Payload": {**ANSWER, "given_up": True, "tries": SPENT}}
    script = {"RunContainer": [LOST], "NoteDelay": [spent, spent], "CloseShare": [LEFT, CLOSED]}
    played = play(script)
    assert (played["status"], *calls(played, "RunContainer", "CloseShare")) == ("SUCCEEDED", 2, 2)
    assert [call["Payload"]["left_before"] for call in played["calls"]["CloseShare"]] == [None, 3]
    # what it waited for is remembered, for the history of the child is no longer than before
    assert played["calls"]["NoteDelay"][1]["Payload"]["tries"] == {**SPENT, "losses": 0}


def test_a_delay_that_cannot_be_noted_ends_in_closing_after_some_tries(play: Callable[..., Played]) -> None:
    played = play({"RunContainer": [THROTTLED], "NoteDelay": [BROKEN], "CloseShare": [CLOSED]})
    assert calls(played, "NoteDelay", "CloseShare") == [11, 1]


def test_functions_are_waited_for_while_the_account_has_no_concurrency_left(
    play: Callable[..., Played],
) -> None:
    busy = {"error": "Lambda.TooManyRequestsException", "cause": "Rate Exceeded"}
    script = {"RunContainer": [QUOTA, DONE], "NoteDelay": [busy] * 50 + [NOTED], "CloseShare": [CLOSED]}
    played = play(script)
    assert (played["status"], *calls(played, "RunContainer", "CloseShare")) == ("SUCCEEDED", 2, 0)


def test_a_container_that_reached_its_longest_time_is_launched_again(play: Callable[..., Played]) -> None:
    played = play({"RunContainer": ["never", DONE], "NoteDelay": [NOTED], "CloseShare": [CLOSED]})
    assert calls(played, "RunContainer", "CloseShare") == [2, 0]
    (report,) = played["calls"]["NoteDelay"]
    assert report["Payload"]["error"]["Error"] == "States.Timeout"


@pytest.mark.parametrize("throttled_first", [False, True])
def test_the_history_of_a_child_has_room_for_a_year_of_waiting(
    definition: dict[str, Any], *, throttled_first: bool
) -> None:
    """Step Functions ends an execution at 25,000 events, or after a year ("Service quotas" of its guide).

    A task has five events (entered, scheduled, started, failed or succeeded, exited) and three more for each
    Retry; Wait and Choice have two each. A child never leaves the circle of these four states while it waits.
    """
    states = definition["States"]["FanOut"]["ItemProcessor"]["States"]
    circle = ("Launch", "RunContainer", "NoteDelay", "WaitForLaunch")
    assert [states[state].get("Next") for state in circle[2:]] == ["WaitForLaunch", "Launch"]
    retries = sum(retry["MaxAttempts"] for retry in states["RunContainer"]["Retry"]) * throttled_first
    events = sum(5 if states[state]["Type"] == "Task" else 2 for state in circle) + 3 * retries
    draw = random.Random(5)
    for _ in range(20):
        tries, waited, used = Tries(), 0, 0
        while waited < definition["TimeoutSeconds"]:
            seconds, tries, _ = decide_relaunch(DelayReason.QUOTA, tries, spot=False, draw=draw.random())
            assert seconds is not None
            waited, used = waited + seconds, used + events
        # what is left is for lost containers, and for functions that are called again
        assert used < 24_000


@pytest.mark.parametrize("error", ["States.Runtime", "States.DataLimitExceeded"])
def test_an_error_that_no_catch_can_match_fails_the_child_only(
    play: Callable[..., Played], definition: dict[str, Any], error: str
) -> None:
    played = play({"RunContainer": [{"error": error}], "CloseShare": [CLOSED]})
    assert (played["status"], played["error"]) == ("FAILED", error)
    # the Map tolerates any number of failed children; their instances are closed after it
    fan_out = definition["States"]["FanOut"]
    assert fan_out["ToleratedFailurePercentage"] == 100
    assert definition["States"][fan_out["Next"]]["Next"] == "CloseUnfinished"


def test_closing_is_tried_again_when_the_function_fails(play: Callable[..., Played]) -> None:
    busy = {"error": "Lambda.TooManyRequestsException", "cause": "Rate Exceeded"}
    script = {"RunContainer": [REFUSED], "NoteDelay": [GIVEN_UP]}
    played = play(script | {"CloseShare": [busy, BROKEN, BROKEN, CLOSED]})
    assert (played["status"], len(played["calls"]["CloseShare"])) == ("SUCCEEDED", 4)


def test_a_child_fails_when_its_share_cannot_be_closed(play: Callable[..., Played]) -> None:
    played = play({"RunContainer": [REFUSED], "NoteDelay": [GIVEN_UP], "CloseShare": [BROKEN]})
    assert (played["status"], len(played["calls"]["CloseShare"])) == ("FAILED", 11)


@pytest.mark.parametrize("provider", ["FARGATE", "FARGATE_SPOT"])
def test_containers_on_fargate_run_on_the_capacity_and_the_platform_of_their_service(
    play: Callable[..., Played], definition: dict[str, Any], provider: str
) -> None:
    script = {"RunContainer": [LOST], "NoteDelay": [NOTED, GIVEN_UP], "CloseShare": [CLOSED]}
    played = play(script, capacity_provider=provider, platform_version="1.4.0")
    assert calls(played, "RunContainer", "CloseShare") == [2, 1]
    assert played["calls"]["NoteDelay"][0]["Payload"]["capacity_provider"] == provider
    request = played["calls"]["RunContainer"][0]
    assert request["PlatformVersion"] == "1.4.0"
    if run_states(definition) == ["RunContainer"]:
        # what has no capacity providers asks for none: emulators know none
        assert (request["LaunchType"], "CapacityProviderStrategy" in request) == ("FARGATE", False)
    else:
        assert request["CapacityProviderStrategy"] == [{"CapacityProvider": provider, "Weight": 1}]
        assert "LaunchType" not in request, "ECS takes the one or the other"


def test_containers_on_ec2_run_on_the_users_capacity_without_a_platform_version(
    play: Callable[..., Played], definition: dict[str, Any]
) -> None:
    """ECS refuses a platform version there ("The platform version must be null")."""
    if run_states(definition) == ["RunContainer"]:
        child = definition["States"]["FanOut"]["ItemProcessor"]
        first = child["States"].get("IsOffered", {}).get("Default", child["StartAt"])
        assert first == "RunContainer", "without such services nothing is chosen"
        return
    script = {"RunOnEc2": [LOST], "NoteDelay": [NOTED, GIVEN_UP], "RunContainer": [DONE]}
    played = play(script | {"CloseShare": [CLOSED]}, capacity_provider="gpu-asg")
    assert calls(played, "RunOnEc2", "RunContainer", "CloseShare") == [2, 0, 1]
    assert played["calls"]["NoteDelay"][0]["Payload"]["capacity_provider"] == "gpu-asg"
    request = played["calls"]["RunOnEc2"][0]
    assert request["CapacityProviderStrategy"] == [{"CapacityProvider": "gpu-asg", "Weight": 1}]
    assert not {"LaunchType", "PlatformVersion"} & request.keys()
    assert request["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"


def test_a_container_is_launched_again_with_the_size_that_the_function_says(
    play: Callable[..., Played], definition: dict[str, Any]
) -> None:
    if "RunLarger" not in run_states(definition):
        return
    # given a container that runs out of memory, then one that is lost, whose size stays, and a new budget
    script = {
        "RunContainer": [LOST],
        "RunLarger": [LOST, LOST, DONE],
        "NoteDelay": [GROWN, GROWN, {"Payload": {**GROWN["Payload"], "given_up": True}}],
        "CloseShare": [LEFT],
    }
    played = play(script)
    assert calls(played, "RunContainer", "RunLarger", "CloseShare") == [1, 3, 1]
    # then each launch has this size, and the container knows it
    for request in played["calls"]["RunLarger"]:
        overrides = request["Overrides"]
        assert (overrides["Cpu"], overrides["Memory"]) == ("1024", "2048")
        (override,) = overrides["ContainerOverrides"]
        variables = {variable["Name"]: variable["Value"] for variable in override["Environment"]}
        container = ContainerSettings.from_env(variables)
        assert (container.memory_mib, container.cpu, container.after_out_of_memory) == (2048, 1024, True)
    assert [call["Payload"]["size"] for call in played["calls"]["NoteDelay"]] == [None, LARGER, LARGER]


def test_after_all_shares_the_rest_is_closed_whatever_their_containers_returned(
    play: Callable[..., Played],
) -> None:
    script = {
        "RunContainer": [DONE],
        "CloseShare": [CLOSED],
        "CloseUnfinished": [CLOSED],
        "CloseAfterError": [],
    }
    played = play(script, whole=True)
    assert (played["status"], played["output"]) == ("SUCCEEDED", {})
    assert len(played["calls"]["RunContainer"]) == 3
    (request,) = played["calls"]["CloseUnfinished"]
    assert request["Payload"] == {"orchestration_id": CHILD["orchestration_id"]}


def test_a_fan_out_that_fails_as_a_whole_is_closed_with_its_reason(play: Callable[..., Played]) -> None:
    script = {
        "RunContainer": [REFUSED],
        "NoteDelay": [GIVEN_UP],
        "CloseShare": [BROKEN],
        "CloseUnfinished": [],
        "CloseAfterError": [CLOSED],
    }
    played = play(script, whole=True)
    (request,) = played["calls"]["CloseAfterError"]
    assert request["Payload"]["error"]["Error"] == "ValueError"


def test_every_launch_may_take_as_long_as_was_said_last(definition: dict[str, Any]) -> None:
    states = definition["States"]["FanOut"]["ItemProcessor"]["States"]
    first = definition["States"]["FanOut"]["ItemSelector"]["delay"]
    path = run_container(definition)["TimeoutSecondsPath"]
    assert path == "$.delay.container_seconds"
    assert first["container_seconds.$"] == "$.container_seconds"
    # whatever replaces the delay says it again
    assert states["NoteDelay"]["ResultPath"] == states["RenewBudget"]["ResultPath"] == "$.delay"
    assert states["NoteDelay"]["ResultSelector"]["container_seconds.$"] == "$.Payload.container_seconds"
    assert states["RenewBudget"]["Parameters"]["container_seconds.$"] == path


def test_the_execution_reads_nothing_but_its_input(definition: dict[str, Any]) -> None:
    fields = set(FanOutInput.model_fields)
    selector = definition["States"]["FanOut"]["ItemSelector"]
    selected = (*selector.values(), *selector["delay"].values())
    reader = definition["States"]["FanOut"]["ItemReader"]["Parameters"].values()
    paths = {path.removeprefix("$.") for path in (*selected, *reader) if str(path)[:2] == "$."}
    assert paths | {"parallelism"} <= fields
    assert definition["States"]["FanOut"]["MaxConcurrencyPath"] == "$.parallelism"


def test_what_is_injected_is_what_a_container_needs(definition: dict[str, Any]) -> None:
    (override,) = run_container(definition)["Parameters"]["Overrides"]["ContainerOverrides"]
    required = {field.alias for field in ContainerSettings.model_fields.values() if field.is_required()}
    assert {variable["Name"] for variable in override["Environment"]} == required
    assert override["Name"] == CONTAINER_NAME


def test_every_retry_is_spread_at_random_and_bounded(definition: dict[str, Any]) -> None:
    states = [
        *definition["States"].values(),
        *definition["States"]["FanOut"]["ItemProcessor"]["States"].values(),
    ]
    tasks = [state for state in states if state["Type"] == "Task"]
    assert len(tasks) >= 4
    for retry in (retry for task in tasks for retry in task.get("Retry", []) if retry["MaxAttempts"]):
        assert retry["JitterStrategy"] == "FULL"
        assert retry["MaxDelaySeconds"] <= 120
    for task in (task for task in tasks if "runTask" in task["Resource"]):
        assert task["TimeoutSecondsPath"] == "$.delay.container_seconds"
        # one function judges every failure
        assert task["Catch"] == [
            {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "NoteDelay"}
        ]


def test_an_execution_ends_in_time_and_needs_nothing_of_what_containers_return(
    definition: dict[str, Any],
) -> None:
    assert definition["TimeoutSeconds"] <= 365 * 86_400
    states = [
        *definition["States"].values(),
        *definition["States"]["FanOut"]["ItemProcessor"]["States"].values(),
    ]
    results = [state["ResultPath"] for state in states if state["Type"] in ("Task", "Map")]
    assert {path for path in results if path is not None} == {"$.delay", "$.left"}
