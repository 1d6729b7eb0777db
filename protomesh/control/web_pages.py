"""What the gateways answer by themselves: the files of their folders, and what is at /docs."""

import gzip
import html
import re
from pathlib import Path

from protomesh.contract.web_files import FILES_REFUSED, find_files
from protomesh.control.documentation import documentation
from protomesh.diagnostics import Problems
from protomesh.model import FilesRoute, Gateway, Method, Topology
from protomesh.targets.envoy import Page, Pages

__all__ = ["web_pages"]

_HTML = "text/html; charset=utf-8"
# A table of our own: that of the system differs from machine to machine.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": _HTML,
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
_COMPRESSES = re.compile(r"text/|application/(json|manifest|wasm|xml)|image/svg")
_SMALL = 512  # bytes, below which gzip saves no packet

# What bundlers call a file whose content never changes: assets/index-BqJ8x2Kd.js.
_HASHED = re.compile(r"/assets/(.*/)?[^/]+[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+$")
_FOREVER = "public, max-age=31536000, immutable"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def web_pages(root: Path, topology: Topology) -> Pages:
    """Reads the files, and makes the documentation of gateways that show the contracts.

    Raises:
        InvalidProject: a file that must not be answered, or can't be read; with the line of its route.
    """
    problems = Problems()
    exposed = [method for _, method in topology.exposed()]
    documented = documentation(topology)
    pages: dict[str, dict[str, Page]] = {}
    for gateway in topology.gateways:
        answered = _files(root, gateway, exposed, problems)
        pages[gateway.name] = answered | (dict(documented) if gateway.reflection else {})
    problems.raise_if_any()
    return pages


def _files(root: Path, gateway: Gateway, exposed: list[Method], problems: Problems) -> dict[str, Page]:
    found = find_files(root, gateway, exposed)
    problems.extend(diagnostic for _, diagnostic in found.problems)
    if found.problems:
        return {}
    pages = {route.prefix: _not_built(root, route) for route in found.missing}
    for path, file in found.files.items():
        try:
            pages[path] = _page(path, file)
        except OSError as error:
            name = file.relative_to(root)
            message = f"{name} can't be read: {error.strerror}"
            problems.error(gateway.origin, FILES_REFUSED.id, message, "Make it a file that you may read.")
    return pages


def _page(path: str, file: Path) -> Page:
    content = file.read_bytes()
    kind = _TYPES.get(file.suffix.lower(), "application/octet-stream")
    headers = {"referrer-policy": "no-referrer"}
    if kind == _HTML:
        headers["content-security-policy"] = _POLICY
    elif _HASHED.search(path):
        headers["cache-control"] = _FOREVER
    compressed = None
    if len(content) > _SMALL and _COMPRESSES.match(kind):
        compressed = gzip.compress(content, mtime=0)  # without a clock: equal files are equal configurations
    return Page(content_type=kind, content=content, gzip=compressed, headers=headers, takes_query=kind == _HTML)


def _not_built(root: Path, route: FilesRoute) -> Page:
    """Says how the files are made: by npm, where a package.json lies above them."""
    folder = Path(route.folder)
    package = next((p for p in folder.parents if p != Path() and (root / p / "package.json").is_file()), None)
    build = f"cd {package} && npm ci && npm run build" if package else "Run what makes them."
    text = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Not built yet</title>
<h1>There is nothing in {html.escape(route.folder)} yet</h1>
<p>The mesh is up, and would show the files of that folder here ({html.escape(str(route.origin))}). To make them:</p>
<pre>{html.escape(build)}</pre>
<p>Then load this page again: nothing has to be started anew.</p>
</html>
"""
    headers = {"content-security-policy": _POLICY, "referrer-policy": "no-referrer"}
    return Page(content_type=_HTML, content=text.encode(), headers=headers, takes_query=True)
