"""What is asked about the services: task definition, image and log group, and the quotas that bound them."""

from collections.abc import Iterator, Mapping
from functools import partial

from background_jobs.aws import clients
from background_jobs.aws.functions import Functions
from background_jobs.aws.images import Images
from background_jobs.aws.logs import Logs
from background_jobs.aws.questions import Refusal, ask
from background_jobs.aws.quotas import Quotas
from background_jobs.aws.task_definitions import TaskDefinitions
from background_jobs.aws.warm_services import WarmServices
from background_jobs.control_plane.doctor.check import Check
from background_jobs.control_plane.doctor.environment import Environment
from background_jobs.core.containers.advice import VCPU_QUOTAS
from background_jobs.core.containers.capacity import ON_DEMAND, SPOT
from background_jobs.core.containers.variables import task_family
from background_jobs.core.containers.warm import warm_service
from background_jobs.core.doctor.capacity import judge_concurrency, judge_vcpus
from background_jobs.core.doctor.findings import Area, Finding, not_here
from background_jobs.core.doctor.services import (
    TaskDefinitionFacts,
    explain_other_registry,
    judge_definition,
    judge_image,
    judge_log_group,
    judge_warm_workers,
    parse_ecr_image,
)

Definitions = Mapping[str, TaskDefinitionFacts | Refusal | None]
"""By service; None where it has none."""


def read_definitions(environment: Environment) -> Definitions:
    """Return the task definition of each service."""
    definitions = TaskDefinitions(clients.ecs())
    name = environment.settings.environment
    return {
        service: ask(partial(definitions.facts, task_family(name, service)))
        for service in environment.services
    }


def of_services(environment: Environment, definitions: Definitions) -> Iterator[Check | Finding]:
    """Yield what is found and asked about each service."""
    for service, facts in definitions.items():
        family = task_family(environment.settings.environment, service)
        if isinstance(facts, Refusal):
            asked = Check(
                Area.SERVICES, f"{service}: its task definition", "ecs:DescribeTaskDefinition", tuple
            )
            yield asked.explain(facts)
            continue
        yield judge_definition(service, family, facts)
        if facts is not None:
            yield from _of_definition(environment, service, facts)


def _of_definition(
    environment: Environment, service: str, facts: TaskDefinitionFacts
) -> Iterator[Check | Finding]:
    image = f"{service}: its image {facts.image}"
    if environment.offline:
        yield not_here(Area.SERVICES, f"{image} is none: offline, its jobs run in processes or in Docker.")
    else:
        ask_image = partial(_judge_image, environment.identity.region, service, facts)
        yield Check(Area.SERVICES, image, "ecr:BatchGetImage", ask_image)
    yield Check(
        Area.SERVICES,
        f"{service}: its log group {facts.log_group}",
        "logs:DescribeLogGroups",
        partial(_judge_log_group, service, facts.log_group),
    )
    cluster = environment.stack.outputs.get("ClusterName") if environment.stack else None
    if facts.is_warm and cluster:
        yield Check(
            Area.SERVICES,
            f"{service}: its warm workers",
            "ecs:DescribeServices",
            partial(_judge_warm_workers, service, cluster, facts),
        )


def _judge_image(region: str, service: str, facts: TaskDefinitionFacts) -> Iterator[Finding]:
    image = parse_ecr_image(facts.image)
    if image is None or image.region != region:
        yield explain_other_registry(service, facts.image, region)
    else:
        images = Images(clients.client_without_types("ecr"))
        yield judge_image(service, facts, images.manifest(image))


def _judge_log_group(service: str, group: str) -> Iterator[Finding]:
    yield judge_log_group(service, group, exists=bool(group) and Logs(clients.logs()).has_group(group))


def _judge_warm_workers(service: str, cluster: str, facts: TaskDefinitionFacts) -> Iterator[Finding]:
    name = warm_service(service, facts.capacity_provider)
    state = WarmServices(clients.ecs(), cluster).find(name)
    running = state.running.get(facts.revision, 0) if state else 0
    yield judge_warm_workers(service, name, state and state.desired, running)


def of_quotas(environment: Environment, definitions: Definitions) -> Iterator[Check | Finding]:
    """Yield what is asked about the quotas that containers and functions meet."""
    if environment.offline:
        yield not_here(
            Area.QUOTAS, "The offline stack has no quotas; it runs as many containers as it is told."
        )
        return
    for spot, quota in VCPU_QUOTAS.items():
        sizes = {
            service: facts.vcpus
            for service, facts in definitions.items()
            if isinstance(facts, TaskDefinitionFacts)
            and facts.vcpus
            and facts.capacity_provider == (SPOT if spot else ON_DEMAND)
        }
        if sizes:
            yield Check(
                Area.QUOTAS,
                f"The quota {quota}",
                "servicequotas:GetServiceQuota",
                partial(_judge_vcpus, sizes, environment.settings.max_parallelism, spot=spot),
            )
    yield Check(Area.QUOTAS, "Lambda's concurrency", "lambda:GetAccountSettings", partial(_judge_concurrency))


def _judge_vcpus(sizes: Mapping[str, float], max_parallelism: int, *, spot: bool) -> Iterator[Finding]:
    quotas = Quotas(clients.client_without_types("service-quotas"))
    limit = quotas.of_fargate(VCPU_QUOTAS[spot].code)
    return judge_vcpus(sizes, limit, max_parallelism, spot=spot)


def _judge_concurrency() -> Iterator[Finding]:
    yield judge_concurrency(*Functions(clients.functions()).concurrency())
