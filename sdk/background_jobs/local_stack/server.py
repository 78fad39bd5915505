"""The process of the offline stack: the emulator, the functions' workers and the containers below it.

python -m background_jobs.local_stack.server FOLDER/options.json
"""

import asyncio
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from background_jobs.core.job_descriptions import names_of
from background_jobs.local_stack.api_process import ApiProcess
from background_jobs.local_stack.call_counter import CallCounter
from background_jobs.local_stack.docker_launcher import DockerLauncher, bridge_address
from background_jobs.local_stack.forking_launcher import ForkingLauncher
from background_jobs.local_stack.fresh_catalog import FreshCatalog
from background_jobs.local_stack.function_processes import FunctionProcesses
from background_jobs.local_stack.launchers import Launcher, ProcessLauncher
from background_jobs.local_stack.process_runner import ProcessContainers, ProcessRunner
from background_jobs.local_stack.processes import STACK_ID, end_all, start_watchdog
from background_jobs.local_stack.request_guard import RequestGuard
from background_jobs.local_stack.server_messages import (
    FAILED,
    JOBS,
    LOADED,
    READY,
    JobsByService,
    Ready,
    ServerOptions,
    publish,
    publish_jobs,
    read_jobs,
    take_over,
)
from background_jobs.local_stack.service_launcher import ServiceLauncher
from background_jobs.local_stack.stack_check import StackCheck
from background_jobs.local_stack.stream_mappings import load_functions_of_streams
from background_jobs.local_stack.substitutions import count_work, substitute
from background_jobs.local_stack.variables import (
    LOCAL_HOSTS,
    REGION,
    client_variables,
    emulator_settings,
    tracing_variables,
)
from background_jobs.settings import Settings
from background_jobs.worker.descendants import adopting_orphans

ACCOUNT: Final = "000000000000"
_POLL_SECONDS: Final = 0.02
_log = logging.getLogger(__name__)


def main(options: ServerOptions) -> None:
    """Serve until a signal or the parent's end, then end every process of the stack."""
    start_watchdog(in_docker=bool(options.image))
    listeners = [socket.socket(fileno=options.listener)]
    # A child that outlived this process with it would keep callers waiting.
    listeners[0].set_inheritable(False)
    port = listeners[0].getsockname()[1]
    if options.image and (bridge := _bridge_listener(port)):
        listeners.append(bridge)
    _configure(port)
    # The emulator unpacks each function's code into a folder that nobody removes.
    tempfile.tempdir = str(options.folder)
    functions = FunctionProcesses.begin() if sys.platform == "linux" else None
    _log_in_utc()
    launcher = _launcher(options)
    own = client_variables(port, "container", launcher.host)
    variables = tracing_variables(os.environ) | options.env | own
    containers = ProcessContainers(launcher, variables, options.folder, options.containers + options.warm)
    runner = ProcessRunner(containers)
    api = ApiProcess()
    status = 1
    try:
        with adopting_orphans():
            containers.prepare()
            threading.Thread(target=_publish_loaded, args=(containers, options.folder), daemon=True).start()
            asyncio.run(_serve(listeners, options, runner, functions, api))
        status = 0
    except Exception:  # noqa: BLE001 -- the log reports it to whoever started the stack
        _log.exception("The emulator could not go on")
    finally:
        api.refuse()
        runner.stop_all()
        end_all(os.environ[STACK_ID])
        # Threads of the emulator may wait for ever.
        os._exit(status)


def _log_in_utc() -> None:
    """Begin each line with its time in UTC: who reads it may be in another time zone."""
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    formatter.default_msec_format = "%s.%03dZ"
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def _launcher(options: ServerOptions) -> Launcher:
    if options.image:
        return DockerLauncher(options.image, os.environ[STACK_ID], options.memory_mib)
    if sys.platform != "linux":
        return ServiceLauncher({name: ProcessLauncher(main) for name, main in options.services.items()})
    return ServiceLauncher(
        {name: ForkingLauncher(main, options.folder, name) for name, main in options.services.items()}
    )


def _bridge_listener(port: int) -> socket.socket | None:
    """Listen at the address at which containers, and nobody outside of this machine, reach it."""
    address = bridge_address()
    try:
        return socket.create_server((address, port), backlog=256) if address else None
    except OSError as elsewhere:
        _log.info("Containers are expected on the loopback, for %s is not here: %s", address, elsewhere)
        return None


def _configure(port: int) -> None:
    """Set the emulator's own settings, before it is imported."""
    for name in emulator_settings(os.environ):
        del os.environ[name]
    os.environ.update(
        client_variables(port, "function")
        | {
            "GATEWAY_PORT": str(port),
            "MINISTACK_REGION": REGION,
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
    )
    # It can do without these, each of which takes 75 ms to load: the stack starts all containers itself, and
    # nobody signs in at the emulator, which would leave a key for that in /tmp.
    for name in ("docker", "cryptography"):
        sys.modules[name] = None  # type: ignore[assignment]


async def _serve(
    listeners: list[socket.socket],
    options: ServerOptions,
    runner: ProcessRunner,
    functions: FunctionProcesses | None,
    api: ApiProcess,
) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from ministack.app import app

    substitute(runner, functions)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    if options.ends_with_parent:
        threading.Thread(target=_end_with_parent, args=(loop, ending), daemon=True).start()
    config = Config()
    config.bind = [f"fd://{listener.fileno()}" for listener in listeners]
    config.graceful_timeout = 0.2
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    calls = CallCounter(app)
    count_work(calls.note)
    catalog = FreshCatalog(calls, runner.containers.reload_jobs)
    port = listeners[0].getsockname()[1]
    threading.Thread(target=_deploy, args=(port, options, catalog, api), daemon=True).start()
    addresses = {listener.getsockname()[0] for listener in listeners}
    own_app = StackCheck(catalog, os.environ[STACK_ID])
    guarded_app: Any = RequestGuard(own_app, addresses.union(LOCAL_HOSTS))
    await serve(guarded_app, config, shutdown_trigger=ending.wait)


def _end_with_parent(loop: asyncio.AbstractEventLoop, ending: asyncio.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    loop.call_soon_threadsafe(ending.set)


def _deploy(port: int, options: ServerOptions, catalog: FreshCatalog, api: ApiProcess) -> None:
    try:
        from background_jobs.local_stack.deployment import deploy

        listener = socket.create_server(("127.0.0.1", options.api_port), backlog=256)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = deploy(
            ACCOUNT,
            services=list(options.services),
            parallelism=options.containers + options.warm,
            warm=options.warm,
            notify=options.notify,
            console_url=f"{url}/",
        )
        threading.Thread(target=load_functions_of_streams, daemon=True).start()
        jobs = _wait_for_jobs(options.folder)
        every = (job for described in jobs.values() for job in described or ())
        update = {"api_url": url, "job_names": names_of(every)}
        settings = settings.model_copy(update=update)
        _keep_descriptions(catalog, jobs, settings)
        _start_api(listener, settings, port, options, api)
    except Exception as error:  # noqa: BLE001 -- the file reports it to the process that waits
        _log.exception("The deployment failed")
        publish(options.folder / FAILED, f"{type(error).__name__}: {error}")
        return
    publish(options.folder / READY, Ready(port=port, settings=settings).model_dump_json())


def _wait_for_jobs(folder: Path) -> JobsByService:
    """Return the jobs once whoever started the stack has asked for them."""
    while not (folder / JOBS).exists():
        time.sleep(_POLL_SECONDS)
    return read_jobs(folder / JOBS)


def _keep_descriptions(catalog: FreshCatalog, jobs: JobsByService, settings: Settings) -> None:
    """Put the descriptions where `background-jobs publish-jobs` puts them on AWS."""
    from background_jobs.aws.job_catalog import JobCatalog
    from background_jobs.aws.stores import Stores

    catalog.begin(JobCatalog(Stores.of(settings).payloads).publish)
    for service, described in jobs.items():
        catalog.publish(service, described or ())


def _publish_loaded(containers: ProcessContainers, folder: Path) -> None:
    """Tell whoever started the stack which jobs were loaded for the containers."""
    publish_jobs(folder / LOADED, containers.find_jobs())


def _start_api(
    listener: socket.socket, settings: Settings, port: int, options: ServerOptions, api: ApiProcess
) -> None:
    """Have the progress API started by the first who connects to it."""
    variables = {**os.environ, **settings.to_env(), **client_variables(port, "api")}
    arguments = (listener, variables, options.folder / "api.log")
    threading.Thread(target=api.start_when_asked, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main(take_over(Path(sys.argv[1])))
