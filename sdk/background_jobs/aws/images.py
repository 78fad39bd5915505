"""The images of services, in ECR."""

import json
from typing import Any, Final

from background_jobs.core.doctor.services import EcrImage

_MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class Images:
    """The images of the registries of one region."""

    def __init__(self, ecr: Any) -> None:  # noqa: ANN401 -- its types are not installed
        self._ecr = ecr

    def manifest(self, image: EcrImage) -> dict[str, Any] | None:
        """Return the manifest of *image*, or of an index of images; None if it is not there."""
        by = {"imageDigest": image.digest} if image.digest else {"imageTag": image.tag}
        try:
            answer = self._ecr.batch_get_image(
                registryId=image.registry,
                repositoryName=image.repository,
                imageIds=[by],
                acceptedMediaTypes=list(_MANIFESTS),
            )
        except self._ecr.exceptions.RepositoryNotFoundException:
            return None
        if not answer["images"]:
            return None
        manifest = json.loads(answer["images"][0]["imageManifest"])
        return manifest if isinstance(manifest, dict) else {}
