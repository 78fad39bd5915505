"""The models of AWS's services, from which clients are made: read once, and faster than botocore reads them.

A container needs two clients before its first instance. botocore looks into the folders of all services to
learn which there are, and reads JSON into a type of dict that takes twice as long to make.
"""

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import IO, Any

import botocore.session
from botocore.loaders import JSONFileLoader, Loader


def make_session() -> botocore.session.Session:
    """Return a session of its own, as variables may have changed, that reads no model of AWS twice."""
    session = botocore.session.get_session()
    session.register_component("data_loader", models_in(session.get_config_variable("data_path")))
    if not session.get_config_variable("region"):
        # AWS's other SDKs read it; botocore's own, AWS_DEFAULT_REGION and the profile, go before it.
        session.set_config_variable("region", os.environ.get("AWS_REGION"))
    return session


@cache
def models_in(data_path: str | None) -> Loader:
    """Return what loads models; *data_path* are the folders of the user's own (AWS_DATA_PATH)."""
    paths = filter(None, (data_path or "").split(os.pathsep))
    folders = [str(Path(os.path.expandvars(path)).expanduser()) for path in paths]
    return _Loader(extra_search_paths=folders, file_loader=_FileLoader())


class _Loader(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 -- of botocore
        """Return the folders of services, without a look into each of them.

        A service that has no model of this type is found out when that is loaded.
        """
        folders = filter(Path.is_dir, map(Path, self.search_paths))
        return sorted({service.name for folder in folders for service in folder.iterdir()})


class _FileLoader(JSONFileLoader):
    def _load_file(self, full_path: str, open_method: Callable[..., IO[bytes]]) -> Any:  # noqa: ANN401 -- of botocore
        if not Path(full_path).is_file():
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())
