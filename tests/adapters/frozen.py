"""A container that is frozen at one of its calls of AWS, given up, and continued after the end."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.client import BaseClient

from background_jobs.aws import clients
from background_jobs.aws.payloads import Payloads
from background_jobs.aws.stores import Stores
from background_jobs.settings import Settings

PATIENCE = 60


class FreezePoint:
    """Stops every thread of a container before or after its nth call of AWS, until it is continued.

    Containers must work with `stores`, whose clients are their own, and their job must call `pass_by`, so
    that it stands still as well.
    """

    def __init__(self, settings: Settings, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._when = when
        self._lock = threading.Lock()
        clients.forget_clients()
        dynamodb, s3 = clients.dynamodb(), clients.s3()
        with monkeypatch.context() as here:
            here.setattr(clients, "of_each_process", lambda client: client())
            stores = Stores.of(settings)
        self.stores = replace(stores, payloads=Payloads(lambda: s3, settings.payload_bucket))
        clients.forget_clients()
        self._clients = (dynamodb, s3)
        self._call = BaseClient._make_api_call  # type: ignore[attr-defined] # not in its stubs

        def make_call(client: BaseClient, *args: Any) -> Any:
            return self._make_call(client, *args)

        monkeypatch.setattr(BaseClient, "_make_api_call", make_call)

    def arm(self, nth: int) -> None:
        """Stop the next container at its nth call."""
        self._nth, self._calls = nth, 0
        self._frozen, self._continued, self._done = threading.Event(), threading.Event(), threading.Event()

    def pass_by(self) -> None:
        """Wait while the container is frozen."""
        if self._frozen.is_set():
            assert self._continued.wait(PATIENCE)

    def freeze(self, work: Callable[[], object]) -> bool:
        """Begin *work* in a thread, and return when it is frozen; False if it ended before."""

        def run() -> None:
            try:
                work()
            finally:
                self._done.set()

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()
        while not self._frozen.wait(0.005):
            if self._done.is_set():
                return False
        return True

    def go_on(self) -> None:
        """Let the container go on to its end."""
        self._continued.set()
        self._thread.join(PATIENCE)
        assert self._done.is_set()

    def _make_call(self, client: BaseClient, *args: Any) -> Any:
        if client not in self._clients:
            return self._call(client, *args)
        if self._when == "before":
            self._count()
        answer = self._call(client, *args)
        if self._when == "after":
            self._count()
        return answer

    def _count(self) -> None:
        with self._lock:
            self._calls += 1
            if self._calls >= self._nth:
                self._frozen.set()
        self.pass_by()
