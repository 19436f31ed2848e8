import builtins
import os
import sys
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException

from bids_app.errors import AppError, ExitCode
from bids_app.wrapper.engine import connect, run_container
from bids_app.wrapper.mounts import Mount
from tests.bids_app.wrapper.conftest import IMAGE
from tests.bids_app.wrapper.fake_engine import FakeContainer, FakeEngine

Engine = Callable[..., FakeEngine]


def test_the_container_may_do_nothing_it_need_not(engine: Engine) -> None:
    fake = engine()
    mounts = [Mount(Path("/in"), writable=False), Mount(Path("/out"), writable=True)]
    assert run_container(fake, IMAGE, ["/in", "/out", "participant"], mounts) == 0
    assert fake.arguments == ["/in", "/out", "participant"]
    assert fake.bind("/in") is True
    assert fake.bind("/out") is False
    assert fake.options["network_mode"] == "none"
    assert fake.options["read_only"] is True
    assert fake.options["cap_drop"] == ["ALL"]
    assert "no-new-privileges" in fake.options["security_opt"]
    assert fake.options["user"] == f"{os.getuid()}:{os.getgid()}"
    assert fake.options["group_add"] == [str(group) for group in os.getgroups()]
    assert fake.options["device_requests"] is None
    assert fake.container.calls == ["start", "remove"]


def test_a_rootless_engine_shows_the_caller_as_root(engine: Engine) -> None:
    fake = engine(rootless=True)
    run_container(fake, IMAGE, [], [])
    assert fake.options["user"] == "0:0"
    assert fake.options["group_add"] == []


def test_gpus(engine: Engine) -> None:
    fake = engine()
    run_container(fake, IMAGE, [], [], gpus=True)
    (request,) = fake.options["device_requests"]
    assert request["Count"] == -1
    assert request["Capabilities"] == [["gpu"]]


def test_output_is_passed_on_where_it_belongs(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    output = [(b"a table\n", None), (None, b"50 %\r"), (b"\xff", b"100 %\r")]
    assert run_container(engine(FakeContainer(output, exit_code=80)), IMAGE, [], []) == 80
    printed = capsys.readouterr()
    assert printed.out == "a table\n�"
    assert printed.err == "50 %\r100 %\r"


@pytest.mark.parametrize(
    ("oom", "message"), [(True, "memory ran out; give"), (False, "the container was killed")]
)
def test_a_killed_container(
    engine: Engine, capsys: pytest.CaptureFixture[str], oom: bool, message: str
) -> None:
    assert run_container(engine(FakeContainer(exit_code=137, oom=oom)), IMAGE, [], []) == 137
    assert message in capsys.readouterr().err


def test_an_interrupt_ends_the_run_in_good_order(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Interrupted:
        """A thread during whose work Ctrl-C is pressed."""

        def __init__(self, target: object, args: tuple[object, ...], daemon: bool) -> None:
            self.joined = 0

        def start(self) -> None:
            pass

        def join(self) -> None:
            self.joined += 1
            if self.joined == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr("threading.Thread", Interrupted)
    fake = engine()
    assert run_container(fake, IMAGE, [], []) == ExitCode.TRY_AGAIN
    assert fake.container.calls == ["start", "stop after 30 s", "remove"]
    assert "stopping the container" in capsys.readouterr().err


def test_missing_image(engine: Engine) -> None:
    with pytest.raises(AppError, match="The engine has no image 'myomids:9'") as caught:
        run_container(engine(), "myomids:9", [], [])
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert "docs/containers.md" in caught.value.hint


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        (
            'could not select device driver "" with capabilities: [[gpu]]',
            "nvidia-container-toolkit",
        ),
        ("mounts denied: the path is not shared", "File sharing"),
        ("no space left on device", "docker run --rm IMAGE --version"),
    ],
)
def test_a_refused_start(engine: Engine, reason: str, hint: str) -> None:
    fake = engine(FakeContainer(refusal=reason))
    with pytest.raises(AppError) as caught:
        run_container(fake, IMAGE, [], [])
    assert reason in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == ExitCode.UNAVAILABLE
    assert fake.container.calls == ["start", "remove"]


@pytest.mark.parametrize(
    ("reason", "message", "hint"),
    [
        ("FileNotFoundError(2, 'No such file')", "No container engine answers", "podman.socket"),
        ("PermissionError(13, 'Permission denied')", "You are not allowed", "group 'docker'"),
    ],
)
def test_no_engine(monkeypatch: pytest.MonkeyPatch, reason: str, message: str, hint: str) -> None:
    def fail() -> None:
        raise DockerException(f"Error while fetching server API version: {reason}")

    monkeypatch.setattr(docker, "from_env", fail)
    with pytest.raises(AppError, match=message) as caught:
        connect()
    assert hint in caught.value.hint
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_no_engine_for_real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing.sock")
    with pytest.raises(AppError, match="No container engine answers") as caught:
        connect()
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_no_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without_docker(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("docker"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "docker")
    monkeypatch.setattr(builtins, "__import__", without_docker)
    with pytest.raises(AppError, match="needs the Docker SDK") as caught:
        connect()
    assert caught.value.hint == "pip install 'myomids[docker]'"


def test_a_connection_waits_as_long_as_a_session_takes(engine: Engine) -> None:
    engine()
    assert connect().api.timeout is None
