"""How the template that ships with the package names its file and the assets of its functions."""

from typing import Final

TEMPLATE_FILE: Final = "local_stack/template.json"
"""The path of the template inside the package; the stack writes it, the offline stack deploys it."""

WARM_RESOURCES_FILE: Final = "local_stack/warm_resources.json"
"""The path of the resources that are others in a template with warm workers, by their logical ids."""

NOTIFY_RESOURCES_FILE: Final = "local_stack/notify_resources.json"
"""The path of the resources that a template with channels has beside the others, by their logical ids."""

CODE_KEY: Final = "lambdas.zip"
DEPENDENCIES_KEY: Final = "dependencies.zip"
"""The keys of the two assets, which stay the same whatever the assets contain."""
