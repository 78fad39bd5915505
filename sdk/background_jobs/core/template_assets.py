"""How the template that ships with the package names its file and the assets of its functions."""

from typing import Final

TEMPLATE_FILE: Final = "local_stack/template.json"
"""The path of the template inside the package; the stack writes it, the offline stack deploys it."""

WARM_RESOURCES_FILE: Final = "local_stack/warm_resources.json"
"""The path of the resources that are others in a template with warm workers, by their logical ids."""

NOTIFY_RESOURCES_FILE: Final = "local_stack/notify_resources.json"
"""The path of the resources that a template with channels has beside the others, by their logical ids."""

SERVICE_RESOURCES_FILE: Final = "local_stack/service_resources.json"
"""The path of the resources that a template has for one more service, by their logical ids."""
ANY_SERVICE: Final = "anyservice"
"""The service that these are of; another has its own name in place of it, wherever it stands."""

CODE_KEY: Final = "lambdas.zip"
DEPENDENCIES_KEY: Final = "dependencies.zip"
"""The keys of the two assets, which stay the same whatever the assets contain."""
