"""Which tests may run side by side, where there is more than one worker."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_CHANGING_THE_NETWORK = ("console", "containers")
"""Docker adds and removes network interfaces, and a browser drops what it loads whenever that happens."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker, and what would disturb each other on one and the same."""
    for item in items:
        parts = item.path.relative_to(_FOLDER).parts if item.path.is_relative_to(_FOLDER) else ()
        group = "network" if parts and parts[0] in _CHANGING_THE_NETWORK else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
