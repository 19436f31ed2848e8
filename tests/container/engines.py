"""Run the image the way users do, under every constraint that a site may set."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Read-only system, no network, no rights, hardly any scratch, limited memory.
_STRICT_PODMAN = (
    "--network=none",
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:rw,size=64m",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=6g",
    "--pids-limit=256",
)
_STRICT_APPTAINER = (
    "--cleanenv",
    "--containall",
    "--no-home",
    "--net",
    "--network",
    "none",
    "--pwd",
    "/tmp",
)


@dataclass(frozen=True)
class Podman:
    """The image under podman."""

    image: str

    def strict(
        self,
        arguments: Sequence[str],
        mounts: Mapping[Path, str],
        *,
        user: int,
        options: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run the app; `mounts` are targets (with ``:ro``) by the folder of this machine."""
        volumes = [f"--volume={folder}:{target}" for folder, target in mounts.items()]
        command = [
            "podman", "run", "--rm", f"--user={user}:{user}", *_STRICT_PODMAN, *volumes, *options,
            self.image, *arguments,
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def inspect(self, template: str) -> str:
        """Return a fact of the image."""
        command = ["podman", "image", "inspect", "--format", template, self.image]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def shell(self, script: str) -> str:
        """Run a script inside and return what it prints."""
        command = ["podman", "run", "--rm", "--entrypoint=/bin/sh", self.image, "-ec", script]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@dataclass(frozen=True)
class Apptainer:
    """The image as a SIF, run by a plain user."""

    program: Path
    sif: Path
    user: str

    def strict(
        self, arguments: Sequence[str], binds: Mapping[Path, str], *, action: str = "run"
    ) -> subprocess.CompletedProcess[str]:
        """Run the app; `binds` are targets (with ``:ro``) by the folder of this machine."""
        options = [f"--bind={folder}:{target}" for folder, target in binds.items()]
        command = [str(self.program), action, *_STRICT_APPTAINER, *options, str(self.sif)]
        return self.as_user([*command, *arguments])

    def as_user(
        self, command: Sequence[str], **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the plain user, in their home folder."""
        variables = [f"{name}={value}" for name, value in environment.items()]
        home = Path("~" + self.user).expanduser()
        return subprocess.run(
            ["runuser", "--user", self.user, "--", "env", f"HOME={home}", *variables, *command],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
