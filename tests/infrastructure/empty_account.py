"""The offline stack's server with nothing deployed: an empty account, whose containers are processes."""

import sys

from background_jobs.local_stack import server
from background_jobs.settings import Settings

NOTHING = Settings(environment="none", event_log_table="none", read_model_table="none", payload_bucket="none")


def main() -> None:
    """Serve, and leave deploying to whoever calls."""

    def ready(port: int, options: server.ServerOptions) -> None:
        answer = server.Ready(port=port, settings=NOTHING).model_dump_json()
        server._publish(options.folder / server.READY, answer)

    server._deploy = ready
    server.main(server.ServerOptions.model_validate_json(sys.argv[1]))


if __name__ == "__main__":
    main()
