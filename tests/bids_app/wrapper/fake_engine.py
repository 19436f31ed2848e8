"""A container engine of Python objects: it remembers what it was asked and plays an ending."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from docker.errors import APIError, ImageNotFound


@dataclass
class FakeContainer:
    output: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    exit_code: int = 0
    oom: bool = False
    refusal: str = ""
    calls: list[str] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)

    def start(self) -> None:
        self.calls.append("start")
        if self.refusal:
            raise APIError("refused", explanation=self.refusal)

    def attach(self, **options: Any) -> Iterator[tuple[bytes | None, bytes | None]]:
        assert options["stream"]
        assert options["logs"]  # what was printed before we were attached
        yield from self.output

    def wait(self) -> dict[str, int]:
        return {"StatusCode": self.exit_code}

    def stop(self, timeout: int) -> None:
        self.calls.append(f"stop after {timeout} s")
        self.exit_code = 75

    def reload(self) -> None:
        self.attrs = {"State": {"OOMKilled": self.oom}}

    def remove(self, force: bool) -> None:
        assert force
        self.calls.append("remove")


class FakeEngine:
    """Stands for `docker.DockerClient`."""

    def __init__(self, container: FakeContainer, *, images: set[str], rootless: bool) -> None:
        self.container = container
        self.images = images
        self.rootless = rootless
        self.image = ""
        self.arguments: list[str] = []
        self.options: dict[str, Any] = {}
        self.containers = self
        self.api = type("Api", (), {"timeout": 60})()

    def info(self) -> dict[str, list[str]]:
        return {"SecurityOptions": ["name=rootless"] if self.rootless else ["name=seccomp"]}

    def create(self, image: str, arguments: list[str], **options: Any) -> FakeContainer:
        if image not in self.images:
            raise ImageNotFound(f"No such image: {image}")
        self.image, self.arguments, self.options = image, arguments, options
        return self.container

    def close(self) -> None:
        self.container.calls.append("close")

    def bind(self, path: object) -> bool:
        """Return whether a path is mounted read-only, under its own name."""
        (mount,) = [m for m in self.options["mounts"] if m["Target"] == str(path)]
        assert mount["Source"] == mount["Target"]
        assert mount["Type"] == "bind"
        return bool(mount["ReadOnly"])
