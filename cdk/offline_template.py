"""The template that the offline stack deploys: the environment `local`, synthesized beforehand and shipped.

python -m cdk.offline_template [--check]
"""

import argparse
import json
import sys
from typing import Any, Final

from background_jobs.core.template_assets import CODE_KEY, DEPENDENCIES_KEY, TEMPLATE_FILE
from cdk.environment_loading import load_environment
from cdk.service_config import REPOSITORY
from cdk.synthesis import build_layer, synthesize

TEMPLATE: Final = REPOSITORY / "sdk" / "background_jobs" / TEMPLATE_FILE


def offline_template() -> str:
    """Synthesize the offline environment; its assets have fixed names, so that code does not change it."""
    config = load_environment("local")
    template = synthesize(config, dependencies=build_layer(config))
    resources: dict[str, Any] = template["Resources"]
    for resource in resources.values():
        properties = resource.get("Properties", {})
        resource.pop("Metadata", None)
        if resource["Type"] == "AWS::Lambda::Function":
            properties["Code"]["S3Key"] = CODE_KEY
        elif resource["Type"] == "AWS::Lambda::LayerVersion":
            properties["Content"]["S3Key"] = DEPENDENCIES_KEY
    return json.dumps(template, indent=1, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the template, or with ``--check`` tell whether the shipped one is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if it is stale")
    check: Final[bool] = parser.parse_args(arguments).check
    template = offline_template()
    if not check:
        TEMPLATE.write_text(template)
    elif TEMPLATE.read_text() != template:
        sys.stderr.write(f"{TEMPLATE.name} is stale. Run `make synth` and commit what it wrote.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
