"""The stack: what a team deploys from its own repository, alone or as a part of its own stack.

One construct for each part. It imports `core` and `settings`, and no runtime code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from background_jobs.cdk.public import *  # noqa: F403 -- its __all__ is the list
else:
    # Importing aws_cdk takes seconds: whoever needs plain configuration alone does not wait for it.

    def __getattr__(name: str) -> Any:  # noqa: ANN401 -- whatever bears the name
        if name.startswith("_"):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        public = import_module("background_jobs.cdk.public")
        if name in public.__all__:
            return getattr(public, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
