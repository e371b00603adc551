"""Pages in headless Chromium."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.child import PATIENCE


def chromium(page: Path, *arguments: str) -> str:
    """Opens a page and returns what Chromium prints; skips where there is none."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium: apt-get install chromium")
    command = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--virtual-time-budget=3000",
        f"--user-data-dir={page.parent / 'profile'}",
        *arguments,
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def measured(page: Path, width: int, expression: str) -> dict[str, Any]:
    """The value of a JavaScript expression in a page that is so many pixels wide."""
    probe = (
        "<script>addEventListener('load', () => document.body.dataset.probe = JSON.stringify("
        + expression
        + "))</script>"
    )
    probed = page.with_name("probed.html")
    frame = f'<iframe id="f" width="{width}" height="900" srcdoc=""></iframe>'
    quoted = json.dumps(page.read_text().replace("</body>", probe + "</body>")).replace("</", "<\\/")
    script = (
        f"<script>const f = document.getElementById('f'); f.srcdoc = {quoted};"
        "f.addEventListener('load', () => setTimeout(() => "
        "document.body.dataset.found = f.contentDocument.body.dataset.probe, 300))</script>"
    )
    probed.write_text(f"<!doctype html><body>{frame}{script}</body>")
    dom = chromium(probed, "--dump-dom")
    match = re.search(r'data-found="([^"]*)"', dom)
    assert match, dom[:500]
    found: dict[str, Any] = json.loads(match[1].replace("&quot;", '"').replace("&amp;", "&"))
    return found
