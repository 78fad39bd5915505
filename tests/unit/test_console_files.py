"""The console's files: nothing comes from elsewhere, and what others wrote is what they released."""

import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from background_jobs.progress_api import console
from background_jobs.progress_api.console import FILES

PAGE, REFERENCE = ((FILES / page).read_text() for page in ("index.html", "reference/index.html"))
_ADDRESS = re.compile(r'(?:src|href)="(console/[^"#]+)"(?: integrity="([^"]+)")?')
LOADED, OF_REFERENCE = (dict(_ADDRESS.findall(page)) for page in (PAGE, REFERENCE))


def test_the_page_loads_every_file_of_ours_and_none_of_others() -> None:
    """Modules that the page does not name would be found one after the other, each with a wait."""
    kept = [path for path in FILES.rglob("*") if path.suffix in {".js", ".css", ".svg"}]
    ours = {f"console/{path.relative_to(FILES)}" for path in kept}
    of_reference = {path for path in ours if path.startswith("console/reference/")}
    assert LOADED.keys() == ours - of_reference
    shared = {f"console/{name}" for name in ("console.css", "dom.js", "icon.svg", "theme.js")}
    assert OF_REFERENCE.keys() == of_reference | shared


def test_what_others_wrote_is_held_to_its_hash_with_its_version_and_licence() -> None:
    vendored = {
        path.removeprefix("console/"): hashed for path, hashed in LOADED.items() if "/vendor/" in path
    }
    for path, hashed in vendored.items():
        digest = hashlib.sha384((FILES / path).read_bytes()).digest()
        assert hashed == f"sha384-{base64.b64encode(digest).decode()}"
    (folder,) = (FILES / "vendor").iterdir()
    assert "(v{})".format(folder.name.removeprefix("uplot-")) in (folder / "uPlot.iife.min.js").read_text()
    assert "Permission is hereby granted" in (folder / "LICENSE").read_text()


@pytest.mark.parametrize("page", ["/", "/console", "/docs"])
def test_a_browser_asks_for_the_page_each_time_and_for_its_files_once(page: str) -> None:
    """The console has some fifty files, each of which is a call of the API's function on AWS."""
    client = _client()
    answer = client.get(page)
    assert answer.headers["cache-control"] == "no-cache"
    addresses = [address for address, _ in _ADDRESS.findall(answer.text)]
    assert len(addresses) > 5
    for address in addresses:
        file = client.get(f"/{address}")
        assert (file.status_code, file.headers["cache-control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
    assert client.get("/console/none.js").status_code == 404


@pytest.mark.parametrize("below", ["", "0123456789abcdef/"])
def test_a_file_of_no_or_another_version_is_asked_for_each_time(below: str) -> None:
    """A page may have been loaded before a deployment."""
    answer = _client().get(f"/console/{below}app.js")
    assert (answer.content, answer.headers["cache-control"]) == ((FILES / "app.js").read_bytes(), "no-cache")


def test_the_version_is_another_with_any_other_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = shutil.copytree(FILES, tmp_path / "static")
    monkeypatch.setattr(console, "FILES", files)
    versions = [console.current_version()]
    (files / "reference" / "page.js").write_text("edited")
    versions.append(console.current_version())
    (files / "dom.js").rename(files / "moved.js")
    versions.append(console.current_version())
    assert len(set(versions)) == 3


def _client() -> TestClient:
    app = FastAPI(docs_url=None)
    app.include_router(console.router)
    return TestClient(app)
