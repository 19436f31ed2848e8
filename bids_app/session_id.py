"""Which participant and session something belongs to."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SessionId:
    """A participant's session; `session` is None in datasets without sessions."""

    participant: str
    session: str | None = None

    @property
    def name(self) -> str:
        """``sub-01`` or ``sub-01_ses-1``."""
        return f"sub-{self.participant}" + (f"_ses-{self.session}" if self.session else "")

    @property
    def folder(self) -> Path:
        """``sub-01`` or ``sub-01/ses-1``, relative to a dataset."""
        folder = Path(f"sub-{self.participant}")
        return folder / f"ses-{self.session}" if self.session else folder

    @property
    def report(self) -> Path:
        """The report page, relative to the output folder."""
        return Path(f"{self.name}.html")

    @property
    def figures(self) -> Path:
        """Folder of the report's figures, relative to the output folder."""
        return Path(f"sub-{self.participant}") / "figures"
