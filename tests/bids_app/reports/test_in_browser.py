"""The page in a real browser: nothing leaves the machine, and pictures stand where they should."""

import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bids_app.reports.session.page import render_session, session_figures
from tests.bids_app.reports import page_content

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

# How Chromium's log names the initiator of requests that the browser makes for itself.
BROWSER_ITSELF = "not an origin"


@dataclass
class Visit:
    """What a browser showed of a page (rows, columns, RGB) and what the page asked for."""

    picture: np.ndarray
    requests: list[str]


def visit(page: Path, width: int = 1000, height: int = 800) -> Visit:
    """Open a file; connections end at a closed port of this machine, so nothing leaves it."""
    assert CHROMIUM is not None
    picture, log = page.with_suffix(".png"), page.with_suffix(".log")
    command = [
        CHROMIUM,
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb"),
        *("--proxy-server=http://127.0.0.1:9", "--proxy-bypass-list=<-loopback>"),
        f"--user-data-dir={page.parent / 'profile'}",
        f"--window-size={width},{height}",
        f"--screenshot={picture}",
        f"--log-net-log={log}",
        page.as_uri(),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    events = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    requests = [
        event["url"]
        for event in events
        if "url" in event and event.get("initiator", BROWSER_ITSELF) != BROWSER_ITSELF
    ]
    return Visit(np.asarray(Image.open(picture).convert("RGB")).astype(int), requests)


def test_nothing_is_requested(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(render_session(page_content.session()), encoding="utf-8")
    seen = visit(page)
    assert seen.picture.std() > 10  # the page was drawn
    assert seen.requests == []


def test_a_request_would_be_noticed_and_is_stopped_by_the_policy(tmp_path: Path) -> None:
    """Also if a name could smuggle an image into the page, the browser would not load it."""
    smuggled = '<img src="http://example.invalid/picture.png">'
    bare, page = tmp_path / "bare.html", tmp_path / "page.html"
    bare.write_text(smuggled, encoding="utf-8")
    assert set(visit(bare).requests) == {"http://example.invalid/picture.png"}
    html = render_session(page_content.session())
    page.write_text(html.replace("<body>", f"<body>{smuggled}"), encoding="utf-8")
    assert visit(page).requests == []


def test_outlines_and_picture_coincide_on_the_screen(tmp_path: Path) -> None:
    """One white block on the patient's left, outlined in red, is drawn on the right."""
    entry = next(iter(page_content.lookup().values()))
    assert (entry.muscle, entry.side) == ("sartorius", "left")
    entry = replace(entry, color="#ff0000", abbreviation="")
    labels = np.where(page_content.labels() == entry.index, entry.index, 0).astype(np.uint16)
    stack = page_content.stack(
        fat_fraction=np.where(labels > 0, 100.0, 0.0).astype(np.float32),
        labels=labels,
        lookup={entry.index: entry},
    )
    figure = session_figures(page_content.session(stacks=[stack]))["sub-01_names.svg"]
    page = tmp_path / "figure.svg"
    page.write_text(figure, encoding="utf-8")
    picture = visit(page, width=1000, height=1300).picture
    red, green, blue = np.moveaxis(picture, -1, 0)
    outline = (red > 200) & (green < 90) & (blue < 90)
    # The figure is 80 mm (40 voxels of 2 mm) wide and 1000 pixels on the screen.
    scale = 1000 / 80
    # Sartorius left: voxels 5 to 12 of 40, counted from the right edge; 18 to 24 of 30 from below.
    left, right = 80 - 12 * 2, 80 - 5 * 2
    top, bottom = 90 - 24 * 3, 90 - 18 * 3
    rows, columns = np.nonzero(outline)
    edges = np.array([columns.min(), columns.max(), rows.min(), rows.max()]) / scale
    # Half of the outline's width, 3 thousandths of the figure, lies outside.
    assert edges == pytest.approx([left, right, top, bottom], abs=0.5)
    inside = picture[round(top * scale) + 8 : round(bottom * scale) - 8]
    inside = inside[:, round(left * scale) + 8 : round(right * scale) - 8]
    assert inside.mean() > 200  # white under a light tint of red
    assert picture[round(50 * scale), round(20 * scale)].max() < 60  # no fat on the other side
