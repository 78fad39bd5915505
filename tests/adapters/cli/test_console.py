"""`background-jobs console`: the environment's own, or one that is served here."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from unittest.mock import patch

import httpx
import pytest
from fastapi.testclient import TestClient

from background_jobs import OrchestrationService
from background_jobs.aws.stores import Stores
from background_jobs.progress_api.app import create_app
from background_jobs.progress_api.loopback import LoopbackConsole, SecretPath
from background_jobs.settings import ApiSettings, Settings
from tests.adapters.cli.commands import run, run_on_terminal

SECRET = "a-secret-that-nobody-guesses"
ME = "arn:aws:sts::123456789012:assumed-role/developer/ana"


@pytest.mark.parametrize(
    ("addresses", "address"),
    [
        (
            {"CONSOLE_URL": "https://x.example/v1/web/console", "API_URL": "https://x.example/v1"},
            "https://x.example/v1/web/console",
        ),
        ({"API_URL": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080/"),
    ],
)
def test_a_console_that_a_browser_can_open_is_opened(
    monkeypatch: pytest.MonkeyPatch, addresses: dict[str, str], address: str
) -> None:
    for name, value in addresses.items():
        monkeypatch.setenv(f"BACKGROUND_JOBS_{name}", value)
    assert run("console").stdout == f"{address}\n"
    with patch("typer.launch", return_value=0) as launched:
        assert run_on_terminal("console").stdout == f"{address}\n"
        launched.assert_called_once_with(address)


def test_the_page_of_an_orchestration_is_that_of_the_console_where_people_sign_in(
    done: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKGROUND_JOBS_API_URL", "https://x.example/v1")
    monkeypatch.setenv("BACKGROUND_JOBS_CONSOLE_URL", "https://x.example/v1/web/console")
    assert run("open", done).stdout == f"https://x.example/v1/web/console#/orchestrations/{done}\n"


def test_otherwise_it_is_served_here_in_the_name_of_the_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKGROUND_JOBS_API_URL", "https://x.example/v1")
    with patch.object(LoopbackConsole, "serve") as served:
        result = run("console")
    served.assert_called_once_with()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/\n", result.stdout)
    assert "arn:aws:sts::123456789012:user/moto" in result.stderr


@pytest.fixture
def here(settings: Settings) -> Iterator[TestClient]:
    app = create_app(settings.model_copy(update={"job_names": ("halve",)}), ApiSettings(), actor=ME)
    with TestClient(
        SecretPath(app, SECRET), base_url="http://127.0.0.1", raise_server_exceptions=False
    ) as here:
        yield here


def test_nothing_is_there_for_who_does_not_know_the_secret(here: TestClient) -> None:
    for path in ("/", "/orchestrations", "/console/app.js", f"/{SECRET}x/", f"//{SECRET}/", f"/x/{SECRET}/"):
        assert here.get(path).status_code == 404, path
    assert here.get(f"/{SECRET}/").headers["content-type"].startswith("text/html")
    assert here.get(f"/{SECRET}/orchestrations").json()["items"] == []


def test_another_name_for_this_machine_is_refused(here: TestClient) -> None:
    """A name of somebody else's that leads here (DNS rebinding) makes their page one of this origin."""
    answer = here.get(f"/{SECRET}/orchestrations", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]) == (400, "UnknownHost")


def test_what_is_kicked_off_here_has_the_name_of_the_credentials(
    here: TestClient, stores: Stores, service: OrchestrationService
) -> None:
    answer = here.post(f"/{SECRET}/orchestrations", json={"job_name": "halve", "params": [{"n": 2}]})
    orchestration_id = answer.json()["orchestration_id"]
    assert stores.event_log.read_started(orchestration_id).by == ME
    where = str(answer.request.url.join(answer.headers["location"]))
    assert where == f"http://127.0.0.1/{SECRET}/orchestrations/{orchestration_id}"
    assert here.get(f"/{SECRET}/caller").json()["name"] == ME


def test_it_listens_on_this_machine_alone_and_ends_when_told(settings: Settings) -> None:
    script = "from background_jobs.progress_api.loopback import LoopbackConsole as Console\n"
    script += "from background_jobs.settings import Settings\n"
    script += f"here = Console(Settings.from_env(), actor={ME!r})\nprint(here.url, flush=True)\nhere.serve()"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings.to_env()},
    )
    assert process.stdout is not None
    with process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        assert httpx.get(url, timeout=60).status_code == 200
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
