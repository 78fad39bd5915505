"""`background-jobs console`: the console of an environment, or one on this machine."""

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from background_jobs.cli.reporting import on_terminal, print_line, print_note, reporting

if TYPE_CHECKING:
    from background_jobs.settings import Settings

_HERE = ("127.0.0.1", "localhost", "::1")
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65_535, metavar="N", help="Where it is served on this machine; 0 for any free port."
    ),
]
Serve = Annotated[
    bool, typer.Option("--serve", help="Serve it here, with your credentials, also where people can sign in.")
]


def console(port: Port = 0, serve: Serve = False) -> None:
    """Open the console of the environment, or serve it on this machine.

    Where people sign in to the environment's own console, its address is opened, and offline that of the
    offline stack. Otherwise the console is served here, for you alone, until Ctrl-C: it does what your AWS
    credentials may, under an address that holds a secret.
    """
    with reporting():
        from background_jobs.settings import Settings

        settings = Settings.from_env()
        url = _find_console(settings)
        if url and not serve:
            open_address(url)
            return
        _serve(settings, port)


def open_address(url: str) -> None:
    """Print an address, and on a terminal open it in the browser."""
    print_line(url)
    if on_terminal() and typer.launch(url) != 0:
        print_note("No browser could be opened here; open the address above.")


def _find_console(settings: "Settings") -> str:
    """Return the address of a console that a browser can open as it is; empty where there is none."""
    is_here = urlsplit(settings.api_url).hostname in _HERE
    return settings.console_url or (settings.console if is_here else "")


def _serve(settings: "Settings", port: int) -> None:
    from background_jobs.aws import clients
    from background_jobs.aws.identities import Identities
    from background_jobs.core.errors import LibraryNotInstalled

    try:
        from background_jobs.progress_api.loopback import LoopbackConsole
    except ModuleNotFoundError as missing:
        raise LibraryNotInstalled(
            str(missing.name), "The console", "background-job-service[api]"
        ) from missing
    sts = clients.client_without_types("sts")
    who = Identities(sts, None).caller()
    with LoopbackConsole(settings, actor=who.arn, port=port) as here:
        print_note(f"The console of {settings.environment}, for {who.arn}. Ctrl-C ends it.")
        open_address(here.url)
        here.serve()
