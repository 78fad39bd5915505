"""The template that the offline stack deploys: the environment `local`, synthesized beforehand and shipped.

The resources that differ where a service has warm workers, or that are added for channels and for another
service, are shipped beside it.

python -m background_jobs.cdk.offline_template [--check]
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from background_jobs.cdk.config import EnvironmentConfig
from background_jobs.cdk.environment_loading import load_environment
from background_jobs.cdk.notification_config import Webhook
from background_jobs.cdk.synthesis import synthesize
from background_jobs.core.containers.warm import WarmWorkers
from background_jobs.core.template_assets import (
    ANY_SERVICE,
    CODE_KEY,
    DEPENDENCIES_KEY,
    NOTIFY_RESOURCES_FILE,
    SERVICE_RESOURCES_FILE,
    TEMPLATE_FILE,
    WARM_RESOURCES_FILE,
)
from background_jobs.package_files import PACKAGE

_CHANNEL: Final = Webhook(
    url="https://example.com/hook",
    secret_arn="arn:aws:secretsmanager:us-east-1:000000000000:secret:offline-AbCdEf",  # noqa: S106 -- a name
)


def shipped_files() -> dict[Path, str]:
    """Synthesize what is shipped: by file, what is to be in it."""
    local = load_environment("local")
    services = [service.model_copy(update={"warm": WarmWorkers(count=1)}) for service in local.services]
    template, warm = _synthesize(local), _synthesize(local.model_copy(update={"services": tuple(services)}))
    notifying = _synthesize(local.model_copy(update={"notifications": {"any": _CHANNEL}}))
    resources = template["Resources"]
    differing = {name: one for name, one in warm["Resources"].items() if resources.get(name) != one}
    # What is shipped can add and replace resources, and nothing else.
    assert template | {"Resources": resources | differing} == warm  # noqa: S101 -- it never is else
    another = local.services[0].model_copy(update={"name": ANY_SERVICE})
    serving = _synthesize(local.model_copy(update={"services": (*local.services, another)}))
    # The names of channels and of services are in the variables of every function, where the offline stack
    # puts its own.
    return {
        PACKAGE / NOTIFY_RESOURCES_FILE: _to_text(_added(notifying, resources)),
        PACKAGE / SERVICE_RESOURCES_FILE: _to_text(_added(serving, resources)),
        PACKAGE / TEMPLATE_FILE: _to_text(template),
        PACKAGE / WARM_RESOURCES_FILE: _to_text(differing),
    }


def _added(template: dict[str, Any], resources: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in template["Resources"].items() if name not in resources}


def _synthesize(config: EnvironmentConfig) -> dict[str, Any]:
    """Synthesize the offline environment; its assets have fixed names, so that code does not change it."""
    template = synthesize(config)
    resources: dict[str, Any] = template["Resources"]
    for resource in resources.values():
        properties = resource.get("Properties", {})
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Lambda::Function":
            properties["Code"]["S3Key"] = CODE_KEY
        elif resource["Type"] == "AWS::Lambda::LayerVersion":
            properties["Content"]["S3Key"] = DEPENDENCIES_KEY
    return template


def _to_text(described: dict[str, Any]) -> str:
    return json.dumps(described, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write what is shipped, or with ``--check`` tell whether it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if it is stale")
    check: Final[bool] = parser.parse_args(arguments).check
    files = shipped_files()
    if not check:
        for path, text in files.items():
            path.write_text(text)
        return 0
    stale = [path.name for path, text in files.items() if path.read_text() != text]
    if stale:
        sys.stderr.write(f"Stale: {', '.join(stale)}. Run `make synth` and commit what it wrote.\n")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
