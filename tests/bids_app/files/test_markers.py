"""What markers of finished sessions may hold."""

import json
from pathlib import Path
from typing import Any

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.files.markers import COMPLETE_SESSIONS, REFUSED_STACKS, log_file, read_marker
from bids_app.session_id import SessionId

SESSION = SessionId("01", None)


def _read(folder: Path, content: Any) -> dict[str, Any] | None:
    path = log_file(folder, COMPLETE_SESSIONS, SESSION)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))
    return read_marker(folder, SESSION)


def test_refused_stacks_are_read(tmp_path: Path) -> None:
    content = {REFUSED_STACKS: [{"Stack": "acq-a", "Message": "Damaged.", "Hint": "Mend it."}]}
    assert _read(tmp_path, content) == content


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"Files": [1]},
        {"Files": {"sub-01/a": 1}},
        {REFUSED_STACKS: 5},
        {REFUSED_STACKS: [5]},
        {REFUSED_STACKS: [{"Stack": "a"}]},
        {REFUSED_STACKS: [{"Stack": 1, "Message": "", "Hint": ""}]},
    ],
)
def test_values_of_wrong_types_are_damage(tmp_path: Path, content: Any) -> None:
    with pytest.raises(AppError, match="marker of a finished session is damaged") as caught:
        _read(tmp_path, content)
    assert caught.value.exit_code is ExitCode.IO_FAILURE
