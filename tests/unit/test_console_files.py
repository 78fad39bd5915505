"""The console's files: nothing comes from elsewhere, and what others wrote is what they released."""

import base64
import hashlib
import re

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
