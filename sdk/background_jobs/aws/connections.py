"""An emulator that is reached whatever the variables of this process say."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Connection:
    """Where an emulator is, and who calls it: nothing of it comes from the variables of this process."""

    endpoint_url: str
    region: str
    access_key: str
    secret_key: str
    app_id: str
    """How its clients name themselves."""

    def connect(self, service: str, options: Mapping[str, Any]) -> Any:  # noqa: ANN401 -- a client of botocore
        """Make a client with *options* that no variable, profile or proxy of this machine leads elsewhere."""
        from botocore.config import Config

        from background_jobs.aws.service_models import make_session

        session = make_session()
        # A profile may name endpoints, proxies and ways to get credentials.
        for name in ("config_file", "credentials_file"):
            session.set_config_variable(name, os.devnull)
        session.set_config_variable("profile", None)
        session.set_config_variable("csm_enabled", value=False)
        own: dict[str, Any] = {
            "proxies": {},
            "use_dualstack_endpoint": False,
            "use_fips_endpoint": False,
            "user_agent_appid": self.app_id,
        }
        return session.create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(**options, **own),
        )
