"""The offline stack's server with nothing deployed: an empty account, whose containers are processes."""

import sys
from pathlib import Path

from background_jobs.local_stack import server
from background_jobs.local_stack.api_process import ApiProcess
from background_jobs.local_stack.fresh_catalog import FreshCatalog
from background_jobs.local_stack.server_messages import READY, Ready, ServerOptions, publish, take_over
from background_jobs.settings import Settings

NOTHING = Settings(environment="none", event_log_table="none", read_model_table="none", payload_bucket="none")


def main() -> None:
    """Serve, and leave deploying to whoever calls."""

    def ready(port: int, options: ServerOptions, catalog: FreshCatalog, api: ApiProcess) -> None:
        del catalog, api
        publish(options.folder / READY, Ready(port=port, settings=NOTHING).model_dump_json())

    server._deploy = ready
    server.main(take_over(Path(sys.argv[1])))


if __name__ == "__main__":
    main()
