from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from bids_app.version import __version__
from tests.bids_app.wrapper.fake_engine import FakeContainer, FakeEngine

IMAGE = f"myomids:{__version__}"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder that stands for a dataset."""
    folder = tmp_path / "study"
    (folder / "sub-01").mkdir(parents=True)
    return folder


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeEngine]:
    """Put a fake engine in the place of Docker."""

    def install(
        container: FakeContainer | None = None,
        *,
        images: tuple[str, ...] = (IMAGE, f"{IMAGE}-cuda"),
        rootless: bool = False,
    ) -> FakeEngine:
        fake = FakeEngine(container or FakeContainer(), images=set(images), rootless=rootless)
        monkeypatch.setattr(docker, "from_env", lambda: fake)
        return fake

    return install
