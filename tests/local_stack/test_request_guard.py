"""The emulator runs functions as the developer, so no web page may call it, and only this machine's names count."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from background_jobs.local_stack import LocalStack
from background_jobs.local_stack.call_counter import PATH

JOBS = Path(__file__).parents[1] / "end_to_end" / "jobs.py"
Headers = dict[str, str]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The host and port of an emulator."""
    with LocalStack(jobs=str(JOBS)) as stack:
        yield urlsplit(stack.variables["AWS_ENDPOINT_URL"]).netloc


def request(address: str, headers: Headers, method: str = "GET", path: str = "/") -> tuple[int, str, Headers]:
    with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.putrequest(method, path, skip_host=True)
        for name, value in {"Host": address, **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        body = answer.read().decode()
        return answer.status, body, {name.lower(): value for name, value in answer.getheaders()}


@pytest.mark.parametrize(
    "host",
    ["attacker.example", "attacker.example:4566", "127.0.0.1.attacker.example", "127.0.0.1@a.example", ""],
)
def test_a_name_that_was_pointed_at_this_machine_is_refused(address: str, host: str) -> None:
    status, body, _ = request(address, {"Host": host})
    assert (status, "call it as 127.0.0.1 or localhost" in body) == (403, True)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST", "host.docker.internal"])
def test_the_names_of_this_machine_are_served(address: str, name: str) -> None:
    port = address.rpartition(":")[2]
    assert request(address, {"Host": f"{name}:{port}"}, path=PATH)[0] == 200


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("origin", ["https://attacker.example", "null", "http://127.0.0.1:1"])
def test_a_page_of_another_origin_is_refused(address: str, method: str, origin: str) -> None:
    status, body, headers = request(address, {"Origin": origin, "Content-Length": "0"}, method)
    assert (status, f"no requests from pages of {origin}" in body) == (403, True)
    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_preflight_of_another_origin_allows_nothing(address: str) -> None:
    asked = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}
    status, _, headers = request(address, asked, "OPTIONS")
    assert status == 403
    assert not [name for name in headers if name.startswith("access-control-")]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_an_image_or_form_of_a_page_is_refused_though_it_names_no_origin(address: str, site: str) -> None:
    assert request(address, {"Sec-Fetch-Site": site}, path="/?Action=ListUsers")[0] == 403


def test_a_refused_call_reaches_nothing(address: str) -> None:
    request(address, {"Origin": "https://attacker.example", "X-Amz-Target": "S.OfAPage"}, "POST")
    request(address, {"Host": "attacker.example", "X-Amz-Target": "S.OfAName"}, "POST")
    calls = request(address, {}, path=PATH)[1]
    assert "OfA" not in calls


def test_answers_to_programs_let_no_page_read_them(address: str) -> None:
    status, _, headers = request(address, {}, path="/a-bucket")
    assert status == 404
    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_web_socket_of_a_page_is_not_opened(address: str) -> None:
    host, _, port = address.rpartition(":")
    upgrade = (
        f"GET / HTTP/1.1\r\nHost: {address}\r\nOrigin: https://attacker.example\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(upgrade.encode())
        assert b" 403 " in connection.recv(4096).splitlines()[0]
