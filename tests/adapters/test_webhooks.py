"""Receivers of webhooks that do not answer as they should."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import boto3
import pytest

from background_jobs.aws import clients
from background_jobs.aws.secrets import Secrets
from background_jobs.control_plane import webhooks
from background_jobs.control_plane.webhooks import WebhookRefused, post


@contextmanager
def answering(answer: bytes, *, bytewise: bool = False) -> Iterator[str]:
    """Answer one request, a byte at a time where that is asked for, until the end of the block."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                for part in [bytes([byte]) for byte in answer] if bytewise else [answer]:
                    connection.sendall(part)
                    if bytewise and over.wait(0.05):
                        return

        thread = Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        over.set()
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 99 no such status\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["another protocol", "no status", "too many headers", "a long header"],
)
def test_an_answer_that_is_no_http_is_a_refusal(answer: bytes) -> None:
    """Any other error would keep the other channels from hearing."""
    with answering(answer) as url, pytest.raises(WebhookRefused, match="its answer is no HTTP"):
        post(url, {}, b"{}")


def test_a_receiver_that_sends_a_byte_at_a_time_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_SECONDS", 0.5)
    endless = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50
    with answering(endless, bytewise=True) as url, pytest.raises(WebhookRefused, match="in time"):
        post(url, {}, b"{}")


@pytest.mark.usefixtures("service")
def test_a_secret_that_is_no_text_is_refused_in_words() -> None:
    arn = boto3.client("secretsmanager").create_secret(Name="binary", SecretBinary=b"\x00")["ARN"]
    with pytest.raises(ValueError, match="the secret is binary, and must be a text"):
        Secrets(clients.client_without_types("secretsmanager")).read(arn)


def test_an_address_that_cannot_be_called_is_a_refusal() -> None:
    with pytest.raises(WebhookRefused, match="its address cannot be called"):
        post("http://127.0.0.1:1/a path", {}, b"{}")
