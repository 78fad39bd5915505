"""A proxy before the progress API that cuts its streams, for tests of lost connections."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def cutting(
    url: str, after_bytes: list[int], *, silently: threading.Event | None = None, below: str = ""
) -> Iterator[str]:
    """Relay the host of *url*, and cut each stream after so many bytes; later streams are not cut.

    With *silently*, one that is cut stays open, nothing comes any more, and the event is set. Where *below* is given, as ``/v1``, it is served below that path, and nothing else is.
    """
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    listener = socket.create_server(("127.0.0.1", 0))
    here = f"127.0.0.1:{listener.getsockname()[1]}"

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=relay, args=(client,), daemon=True).start()

    def relay(client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection((host, port)) as server:
            request = client.recv(65_536)
            line, _, headers = request.partition(b"\r\n")
            if f" {below}/".encode() not in line:
                client.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                return
            # A connection carries one request, so that only streams are cut.
            headers = headers.replace(here.encode(), f"{host}:{port}".encode())
            headers = headers.replace(b"onnection: keep-alive", b"onnection: close")
            server.sendall(line.replace(f" {below}/".encode(), b" /") + b"\r\n" + headers)
            left = after_bytes.pop(0) if after_bytes and b"/events" in line else 10**9
            while left > 0 and (data := server.recv(min(left, 4_096))):
                client.sendall(data)
                left -= len(data)
            if silently and left <= 0:
                silently.set()
                while client.recv(1):
                    pass

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://{here}{below}"
    finally:
        listener.close()
