"""Whether the containers of a service could be launched: task definition, image and log group."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from background_jobs.core.containers.capacity import ON_DEMAND
from background_jobs.core.doctor.findings import Area, Finding, ok, problem, unknown, warning
from background_jobs.core.planning.fargate import VCPU

_ECR: Final = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/"
    r"(?P<repository>[^:@]+)(?::(?P<tag>[^@]+))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_DOCKER_NAMES: Final = {"ARM64": "arm64", "X86_64": "amd64"}


class TaskDefinitionFacts(NamedTuple):
    """What ECS says of the latest task definition of a service."""

    revision: str
    """Family and number: ``background-jobs-prod-billing:7``."""
    status: str
    cpu: int
    """In units of 1/1,024 vCPU."""
    architecture: str
    """``ARM64`` or ``X86_64``."""
    image: str
    log_group: str
    capacity_provider: str = ON_DEMAND
    is_warm: bool = False
    """Whether containers of it are kept that have no share yet."""

    @property
    def vcpus(self) -> float:
        """Return the vCPUs of one container."""
        return self.cpu / VCPU


class EcrImage(NamedTuple):
    """Where an image is in ECR; it has a tag, a digest, or both."""

    registry: str
    region: str
    repository: str
    tag: str | None
    digest: str | None


def parse_ecr_image(image: str) -> EcrImage | None:
    """Return where *image* is in ECR; None if it is in another registry.

    >>> parse_ecr_image("123456789012.dkr.ecr.eu-central-1.amazonaws.com/team/billing:7").repository
    'team/billing'
    """
    match = _ECR.fullmatch(image)
    if match is None:
        return None
    found = EcrImage(**match.groupdict())
    return found if found.tag or found.digest else found._replace(tag="latest")


def judge_definition(service: str, family: str, facts: TaskDefinitionFacts | None) -> Finding:
    """Judge the task definition of *service*; None if its family has no active revision."""
    if facts is None or facts.status != "ACTIVE":
        state = f"{facts.revision} is {facts.status}" if facts else f"{family} has no active revision"
        return problem(
            Area.SERVICES,
            f"{service}: the task definition {state}, so that no container can be launched.",
            "Deploy the stack again, or add the service to environments.py.",
        )
    return ok(
        Area.SERVICES,
        f"{service}: {facts.revision} is active, {facts.vcpus:g} vCPU on {facts.architecture}.",
    )


def judge_image(service: str, facts: TaskDefinitionFacts, manifest: dict[str, Any] | None) -> Finding:
    """Judge the image of *service* by its *manifest* in ECR; None if it is not there."""
    if manifest is None:
        return problem(
            Area.SERVICES,
            f"{service}: the image {facts.image} is not in ECR, so that every launch fails.",
            "Push it, or deploy the stack again; a lifecycle rule of the repository may have removed it.",
        )
    offered = sorted(set(_architectures(manifest)))
    needed = _DOCKER_NAMES.get(facts.architecture, facts.architecture)
    if offered and needed not in offered:
        return problem(
            Area.SERVICES,
            f"{service}: the image is built for {', '.join(offered)}, and its containers run on {needed}.",
            f"Build it with `docker build --platform linux/{needed}`, or change arm64 of the service.",
        )
    built = f"for {needed}" if offered else "; its manifest does not say for which architecture"
    return ok(Area.SERVICES, f"{service}: its image is in ECR {built}.".replace(" ;", ";"))


def _architectures(manifest: dict[str, Any]) -> Iterator[str]:
    """Yield the architectures that an index of images lists; a manifest of one image names none.

    Attestations are listed as images of an unknown architecture. Source: OCI Image Index Specification;
    Docker documentation, "Image attestation storage".
    """
    for image in manifest.get("manifests") or []:
        architecture = (image.get("platform") or {}).get("architecture", "unknown")
        if architecture != "unknown":
            yield architecture


def explain_other_registry(service: str, image: str, region: str) -> Finding:
    """Return that *image* is in no registry of ECR that can be asked from *region*."""
    return unknown(
        Area.SERVICES,
        f"{service}: whether {image} exists is unknown, because it is not in ECR in {region}.",
        f"`docker manifest inspect {image}` tells.",
    )


def judge_warm_workers(service: str, name: str, desired: int | None, running: int) -> Finding:
    """Judge the ECS service *name* by how many workers it is to keep, and how many run the latest revision.

    *desired* is None where there is no such service.
    """
    if desired is None:
        return problem(
            Area.SERVICES,
            f"{service}: the ECS service {name} of its warm workers is gone; every share is launched.",
            "Deploy the stack again, or take warm out of the service.",
        )
    if running < desired:
        return warning(
            Area.SERVICES,
            f"{service}: {running} of {desired} warm workers run its latest revision; others take nothing "
            "of it.",
            f"After a deployment, wait until ECS has replaced them; else the events of {name} and the logs "
            "of its tasks say why they end.",
        )
    kept = f"{running} warm workers run" if desired else "its warm workers are idle, and none is kept"
    return ok(Area.SERVICES, f"{service}: {kept}.")


def judge_log_group(service: str, group: str, *, exists: bool) -> Finding:
    """Judge the log group of a service's containers."""
    if exists:
        return ok(Area.SERVICES, f"{service}: its log group is there.")
    if not group:
        return warning(
            Area.SERVICES,
            f"{service}: its containers have no log group, so that nothing is left of what they print.",
            "Deploy the stack again.",
        )
    return problem(
        Area.SERVICES,
        f"{service}: the log group {group} is gone, so that no container can be launched.",
        "Make it again under that name, or deploy the stack under another.",
    )
