"""What the stack has for warm workers, and what the state machine does with shares that are offered to them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.network_config import ExistingSubnets
from background_jobs.cdk.service_config import ServiceConfig
from background_jobs.core.containers.variables import task_family
from background_jobs.core.containers.warm import OFFER_SECONDS, WARM_QUEUE, Offer, WarmHours, WarmWorkers
from background_jobs.settings import ContainerSettings, ExecutionSettings, WarmSettings
from tests.infrastructure.conftest import Synthesize, Template, of_type, text_of
from tests.infrastructure.test_state_machine import (
    CHILD,
    CLOSED,
    DONE,
    GIVEN_UP,
    LOST,
    NOTED,
    Played,
    calls,
    play,
)

__all__ = ["play"]
PRIVATE: Final = ExistingSubnets(subnet_ids=("subnet-1",), security_group_id="sg-1")
EAGER: Final = ServiceConfig(name="eager", image="i", warm=2)
THRIFTY: Final = ServiceConfig(
    name="thrifty",
    image="i",
    spot=True,
    warm=WarmWorkers(count=3, idle_minutes=30, hours=WarmHours(start=7, end=19)),
)
NOT_TAKEN: Final = {"error": "States.HeartbeatTimeout", "cause": "no heartbeat"}
OF_ANOTHER_REVISION: Final = {"error": "BackgroundJobs.AnotherRevision", "cause": "The worker runs x:1."}


@pytest.fixture
def template(synthesized: Synthesize) -> Template:
    environment = load_environment("prod")
    services = (*environment.services, EAGER, THRIFTY)
    return synthesized(environment.model_copy(update={"services": services, "network": PRIVATE}))


@pytest.fixture
def definition(template: Template) -> dict[str, Any]:
    (machine,) = of_type(template, "AWS::StepFunctions::StateMachine")
    found: dict[str, Any] = json.loads(text_of(machine["DefinitionString"]))
    return found


def test_a_stack_without_warm_workers_has_nothing_of_them(synthesized: Synthesize) -> None:
    plain = synthesized(load_environment("prod").model_copy(update={"network": PRIVATE}))
    assert of_type(plain, "AWS::ECS::Service") == []
    text = json.dumps(plain)
    assert "sendMessage.waitForTaskToken" not in text
    assert WARM_QUEUE not in text
    assert "ecs:UpdateService" not in text


def test_the_first_shares_are_offered_with_what_a_container_needs(play: Callable[..., Played]) -> None:
    script = {"OfferToWarmWorker": [{}], "RunContainer": [DONE], "CloseShare": [CLOSED]}
    played = play(script, number=1, warm_shares=2)
    assert (played["status"], played["output"]) == ("SUCCEEDED", {})
    assert calls(played, "OfferToWarmWorker", "RunContainer") == [1, 0]
    (request,) = played["calls"]["OfferToWarmWorker"]
    assert request["QueueUrl"] == CHILD["warm_queue"]
    offer = Offer.model_validate(request["MessageBody"])
    assert offer.task_definition == CHILD["task_definition"]
    # exactly the variables that a task would get
    launched = play(script, number=2, warm_shares=2)["calls"]["RunContainer"][0]
    (override,) = launched["Overrides"]["ContainerOverrides"]
    assert offer.variables == {one["Name"]: one["Value"] for one in override["Environment"]}
    assert ContainerSettings.from_env(offer.variables).job_name == "census"


@pytest.mark.parametrize("failure", [NOT_TAKEN, OF_ANOTHER_REVISION], ids=["not taken", "refused"])
def test_a_share_that_no_worker_does_is_launched_with_a_whole_budget(
    play: Callable[..., Played], failure: Mapping[str, str]
) -> None:
    script = {"OfferToWarmWorker": [failure], "RunContainer": [LOST, DONE], "NoteDelay": [NOTED]}
    played = play(script | {"CloseShare": [CLOSED]}, number=0, warm_shares=1)
    assert calls(played, "OfferToWarmWorker", "RunContainer", "NoteDelay") == [1, 2, 1]
    (report,) = played["calls"]["NoteDelay"]
    # what is reported is the error of the task, and no launch was counted for the worker
    assert report["Payload"]["error"]["Error"] == LOST["error"]
    assert report["Payload"]["tries"]["losses"] == 0


def test_other_shares_are_launched_at_once(play: Callable[..., Played]) -> None:
    script = {"OfferToWarmWorker": [{}], "RunContainer": [DONE], "CloseShare": [CLOSED]}
    played = play(script, number=2, warm_shares=2)
    assert calls(played, "OfferToWarmWorker", "RunContainer") == [0, 1]


def test_a_whole_orchestration_offers_by_the_number_of_the_share(
    play: Callable[..., Played],
) -> None:
    script: dict[str, Any] = {"OfferToWarmWorker": [{}], "RunContainer": [DONE], "CloseShare": [CLOSED]}
    script |= {"CloseUnfinished": [CLOSED], "CloseAfterError": []}
    played = play(script, whole=True, warm_queue="https://sqs/queue")
    assert played["status"] == "SUCCEEDED"
    assert calls(played, "OfferToWarmWorker", "RunContainer") == [0, 3], "none was asked to be offered"


def test_a_lost_worker_is_noticed_within_seconds(definition: dict[str, Any]) -> None:
    states = definition["States"]["FanOut"]["ItemProcessor"]["States"]
    offer = states["OfferToWarmWorker"]
    assert offer["HeartbeatSeconds"] == OFFER_SECONDS
    assert offer["TimeoutSecondsPath"] == states["RunContainer"]["TimeoutSecondsPath"]
    assert offer["Parameters"]["MessageBody"]["token.$"] == "$$.Task.Token"


def test_workers_run_the_same_revision_on_the_same_capacity_as_tasks(template: Template) -> None:
    services = {one["ServiceName"]: one for one in of_type(template, "AWS::ECS::Service")}
    assert set(services) == {"eager-FARGATE", "thrifty-FARGATE_SPOT"}
    eager, thrifty = services["eager-FARGATE"], services["thrifty-FARGATE_SPOT"]
    assert (eager["DesiredCount"], eager["LaunchType"]) == (2, "FARGATE")
    # what varies is not set back by a deployment
    assert "DesiredCount" not in thrifty
    assert thrifty["CapacityProviderStrategy"] == [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]
    assert "LaunchType" not in thrifty
    definition = template["Resources"][eager["TaskDefinition"]["Ref"]]["Properties"]
    assert definition["Family"] == task_family("prod", "eager")
    (container,) = definition["ContainerDefinitions"]
    queue = next(one["Value"] for one in container["Environment"] if one["Name"] == WARM_QUEUE)
    assert template["Resources"][queue["Ref"]]["Properties"]["QueueName"] == task_family("prod", "eager")
    network = eager["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network == {"Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "AssignPublicIp": "DISABLED"}
    assert eager["DeploymentConfiguration"]["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}


def test_a_message_outlives_the_longest_share_so_that_its_worker_counts_as_busy(template: Template) -> None:
    queues = [one for one in of_type(template, "AWS::SQS::Queue") if "QueueName" in one]
    assert len(queues) == 2
    for queue in queues:
        assert queue["MessageRetentionPeriod"] > 7 * 86_400
        assert queue["VisibilityTimeout"] > OFFER_SECONDS


def test_only_the_workers_of_a_service_may_take_its_shares(template: Template) -> None:
    allowed = {
        name: [
            statement
            for policy in resource["Properties"].get("Policies", [])
            for statement in policy["PolicyDocument"]["Statement"]
            if "sqs:ReceiveMessage" in statement["Action"]
        ]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    may = {name: statements for name, statements in allowed.items() if statements}
    assert len(may) == 2
    for name, (statement,) in may.items():
        service = "eager" if "eager" in name else "thrifty"
        assert service in text_of(statement["Resource"])


def test_the_functions_are_told_of_the_workers(template: Template) -> None:
    functions = {one["Handler"].split(".")[0]: one for one in of_type(template, "AWS::Lambda::Function")}
    from tests.infrastructure.conftest import unpacked_settings

    for name, settings in (("start_orchestration", ExecutionSettings), ("note_stalls", WarmSettings)):
        variables = {k: str(v) for k, v in functions[name]["Environment"]["Variables"].items()}
        packed = Path(variables["BACKGROUND_JOBS_SETTINGS_FILE"])
        here = variables | {"BACKGROUND_JOBS_SETTINGS_FILE": str(unpacked_settings(template) / packed.name)}
        found: Any = settings.from_env(here)
        assert found.warm_workers == {"eager": EAGER.warm, "thrifty": THRIFTY.warm}
        assert found.cluster_arn


@pytest.mark.parametrize(
    ("warm", "sentence"),
    [
        (-1, "warm=-1 is no number of workers; use one from 0 to 1,000"),
        (True, "warm"),
        (WarmWorkers, "warm"),
        ({"count": 2, "idle_minutes": 2}, "warm['idle_minutes']=2 must be greater than or equal to 5"),
        ({"counts": 2}, "there is no field warm['counts']"),
    ],
)
def test_workers_that_cannot_be_are_refused_in_a_sentence(warm: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=r"service 'x'") as refused:
        ServiceConfig(name="x", image="i", warm=warm)
    assert sentence in str(refused.value)


def test_a_lost_budget_closes_a_share_that_was_offered(play: Callable[..., Played]) -> None:
    script = {"OfferToWarmWorker": [NOT_TAKEN], "RunContainer": [LOST], "NoteDelay": [GIVEN_UP]}
    played = play(script | {"CloseShare": [CLOSED]}, number=0, warm_shares=1)
    assert calls(played, "OfferToWarmWorker", "RunContainer", "CloseShare") == [1, 1, 1]
