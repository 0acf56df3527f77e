"""Pictures of report.html for README.md and the tutorial: `python docs/make_pictures.py DIR`, by Debian's Chromium.

DIR is a first build of examples/corpus with its report, as docs/tutorial.md leaves it in `demo`.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

DOCS = Path(__file__).parent
_SIZE = {"width": 1000, "height": 620}  # pixels
_COLORS = 256
_PATIENCE_MS = 240_000


def draw(report: Path, folder: Path) -> None:
    """Writes report-overview.png, report-charts.png and report-entity.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"))
        page = browser.new_page(viewport=_SIZE, color_scheme="light")
        page.set_default_timeout(_PATIENCE_MS)
        page.goto(report.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached")
        _keep(page.screenshot(clip={"x": 0, "y": 0, "width": 1000, "height": 390}), folder / "report-overview.png")
        _keep(page.locator("#charts").screenshot(), folder / "report-charts.png")
        page.fill("#search", "Claude Shannon")
        page.press("#search", "Enter")
        page.wait_for_selector("#entity mark")
        page.evaluate("document.querySelector('#graph').scrollIntoView()")
        page.wait_for_timeout(2000)  # the map moves to what was opened
        _keep(page.screenshot(), folder / "report-entity.png")
        browser.close()


def _keep(screenshot: bytes, path: Path) -> None:
    picture = Image.open(io.BytesIO(screenshot)).convert("RGB")
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) / "report.html", DOCS)
