"""How the template that ships with the package names its file and the assets of its functions."""

from typing import Final

TEMPLATE_FILE: Final = "local_stack/template.json"
"""The path of the template inside the package; the stack writes it, the offline stack deploys it."""

CODE_KEY: Final = "lambdas.zip"
DEPENDENCIES_KEY: Final = "dependencies.zip"
"""The keys of the two assets, which stay the same whatever the assets contain."""
