"""Run the image with the Docker SDK, and say in plain words what a failing engine means."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bids_app.errors import AppError, ExitCode
from bids_app.wrapper.mounts import Mount

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

# How long a run may take to end in good order after an interrupt, in seconds.
_GRACE_S = 30

# Scratch of the system inside the container; that of the app lies in its work folder.
_SYSTEM_SCRATCH = {"/tmp": "size=64m,mode=1777"}

_KILLED = 137


def connect() -> "DockerClient":
    """Connect to the container engine."""
    try:
        import docker
        from docker.errors import DockerException
    except ImportError as error:
        raise AppError(
            "myomids-docker needs the Docker SDK for Python, which is not installed.",
            ExitCode.UNAVAILABLE,
            "pip install 'myomids[docker]'",
        ) from error
    try:
        client = docker.from_env()
    except DockerException as error:
        raise _no_engine(str(error)) from error
    # Sessions take minutes in which the engine has nothing to say.
    client.api.timeout = None
    return client


def run_container(
    client: "DockerClient",
    image: str,
    arguments: Sequence[str],
    mounts: Sequence[Mount],
    *,
    gpus: bool = False,
    network: str = "none",
) -> int:
    """Run the app in a container, pass its output on while it works, and return the exit code.

    It is the app's own, or the engine's if that ended it (137: out of memory).
    """
    terminal = sys.stdout.isatty() and sys.stderr.isatty()
    options = {**_options(client, mounts, gpus=gpus, network=network), "tty": terminal}
    with _container(client, image, arguments, options) as container:
        if terminal:
            size = shutil.get_terminal_size()
            container.resize(height=size.lines, width=size.columns)
        output = threading.Thread(target=_pass_on, args=(container,), daemon=True)
        output.start()
        try:
            output.join()
        except KeyboardInterrupt:
            print("myomids-docker: stopping the container", file=sys.stderr)
            container.stop(timeout=_GRACE_S)
            output.join()
        code = int(container.wait()["StatusCode"])
        if code == _KILLED:
            _explain_killed(container)
        return code


def _options(
    client: "DockerClient", mounts: Sequence[Mount], *, gpus: bool, network: str
) -> Mapping[str, Any]:
    """Return the constraints of the container: what it may see and do."""
    from docker.types import DeviceRequest
    from docker.types import Mount as Bind

    # A rootless engine runs as the caller already, and shows the caller as root inside.
    rootless = any("rootless" in str(o) for o in client.info().get("SecurityOptions") or ())
    return {
        "mounts": [
            Bind(str(m.path), str(m.path), type="bind", read_only=not m.writable) for m in mounts
        ],
        "user": "0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        "group_add": [] if rootless else [str(group) for group in os.getgroups()],
        "network_mode": network,
        "read_only": True,
        "tmpfs": _SYSTEM_SCRATCH,
        "cap_drop": ["ALL"],
        # Label separation would hide mounted folders where SELinux is on.
        "security_opt": ["no-new-privileges", "label=disable"],
        "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if gpus else None,
    }


@contextmanager
def _container(
    client: "DockerClient", image: str, arguments: Sequence[str], options: Mapping[str, Any]
) -> Iterator["Container"]:
    """Start a container; remove it whatever happens."""
    from docker.errors import APIError, ImageNotFound

    try:
        container = client.containers.create(image, list(arguments), **options)
    except ImageNotFound as error:
        raise AppError(
            f"The engine has no image {image!r}.",
            ExitCode.UNAVAILABLE,
            "Build it (docs/containers.md), pull it, or name another with --image.",
        ) from error
    except APIError as error:
        raise _refused(image, error.explanation or str(error)) from error
    try:
        try:
            container.start()
        except APIError as error:
            raise _refused(image, error.explanation or str(error)) from error
        yield container
    finally:
        container.remove(force=True)


def _pass_on(container: "Container") -> None:
    """Copy what the app prints to our own output, as it comes."""
    stream = container.attach(stdout=True, stderr=True, stream=True, logs=True, demux=True)
    for printed, error in stream:
        for data, target in ((printed, sys.stdout), (error, sys.stderr)):
            if data:
                target.write(data.decode(errors="replace"))
                target.flush()


def _no_engine(reason: str) -> AppError:
    """Explain why the engine cannot be reached."""
    if "ermission denied" in reason:
        return AppError(
            "You are not allowed to talk to the container engine.",
            ExitCode.UNAVAILABLE,
            "Ask for membership in the group 'docker', or use a rootless engine: "
            "export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/docker.sock",
        )
    return AppError(
        f"No container engine answers: {reason}.",
        ExitCode.UNAVAILABLE,
        "Start Docker (systemctl start docker), or for Podman: systemctl --user start "
        "podman.socket; export DOCKER_HOST=unix://$XDG_RUNTIME_DIR/podman/podman.sock",
    )


def _refused(image: str, reason: str) -> AppError:
    """Explain why the engine does not start a container."""
    if "device driver" in reason or "nvidia" in reason.lower() or "cdi" in reason.lower():
        hint = (
            "GPUs need an NVIDIA driver and nvidia-container-toolkit on this machine; without "
            "them, leave out --gpus and use --device cpu."
        )
    elif "denied" in reason.lower():
        hint = "Allow the engine to show these folders (Docker Desktop: Settings, File sharing)."
    else:
        hint = "Its own words are above; 'docker run --rm IMAGE --version' is the shortest test."
    return AppError(f"The engine did not run {image!r}: {reason}.", ExitCode.UNAVAILABLE, hint)


def _explain_killed(container: "Container") -> None:
    container.reload()
    if container.attrs["State"].get("OOMKilled"):
        why = "memory ran out; give the engine more, or run fewer sessions with --nprocs"
    else:
        why = "the container was killed, most often because memory ran out"
    print(f"myomids-docker: {why}", file=sys.stderr)
