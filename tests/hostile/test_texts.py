"""Names of people's tables in ours and in cards, and sidecars that are broken."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from bids_app.errors import ExitCode
from bids_app.files.provenance import data_origin
from bids_app.files.sidecars import read_metadata
from bids_app.files.tables import table_text
from pipelines.diagnosis.model.card import model_card
from pipelines.text_table import read_own_table
from tests.hostile.attack import Attack, table
from tests.pipelines.diagnosis.stored_models import trained_model

# What stands in somebody's table, and what is written in ours.
CELLS = [
    ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
    ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
    ("+1+1", "'+1+1"),
    ("-1+1", "'-1+1"),
    ("-", "'-"),
    ("--1", "'--1"),
    ("@SUM(A1:A9)", "'@SUM(A1:A9)"),
    ("'=1", "''=1"),
    ("\t=1+1", " =1+1"),
    ("\r=1+1", " =1+1"),
    ("a\tb", "a b"),
    ("a\nsub-02\t1", "a sub-02 1"),
    ("a\r\nb", "a  b"),
    ("\x1b[31mred", " [31mred"),
    ("a\x00b", "a b"),
    ("a\u2028b", "a b"),
    # Numbers and plain text stay.
    ("-3.5", "-3.5"),
    ("+1e-3", "+1e-3"),
    ("n/a", "n/a"),
    ("O'Brien", "O'Brien"),
    ("a=b", "a=b"),
]

# What stands in somebody's table, and what the card of a model shows.
CARD = [
    ("<script>alert(1)</script>", r"&lt;script&gt;alert(1)&lt;/script&gt;"),
    ("<img src=x onerror=alert(1)>", r"&lt;img src=x onerror=alert(1)&gt;"),
    ("a & b", "a &amp; b"),
    ("[x](javascript:alert(1))", r"\[x\](javascript:alert(1))"),
    ("![x](http://host/x.png)", r"!\[x\](http://host/x.png)"),
    ("a\n# Head", "a # Head"),
    ("`code`", r"\`code\`"),
    ("*bold*", r"\*bold\*"),
]

SIDECARS: list[tuple[str, bytes, str]] = [
    ("nothing", b"", "is not valid JSON: line 1, column 1"),
    ("cut off", b'{"EchoTime": [1.2', "is not valid JSON: line 1"),
    ("two objects", b"{}{}", "is not valid JSON: line 1, column 3"),
    ("a comma too many", b'{"a": 1,}', "is not valid JSON"),
    ("single quotes", b"{'a': 1}", "is not valid JSON"),
    ("nested deep", b"[" * 100_000, "cannot be used: it is nested too deep"),
    ("a number of 5,000 digits", b"1" * 5000, "cannot be used"),
    ("not UTF-8", b'{"a": "\xff"}', "is not UTF-8 text"),
    (
        "65 MB",
        b'{"a": 1}' + b" " * 65_000_000,
        r"has 65\.0 MB; a JSON file may have 64 MB.*Check how",
    ),
    ("half of a character", b'{"a": "\\ud800"}', "holds half of a character"),
    ("UTF-16", '{"a": 1}'.encode("utf-16"), "is not UTF-8 text"),
    ("a number", b"3", "holds no JSON object but 3"),
    ("a text", b'"x"', "holds no JSON object"),
    ("null", b"null", "holds no JSON object but null"),
]


def _cell(text: str) -> Callable[[Path], str]:
    def read(folder: Path) -> str:
        written = table_text(pd.DataFrame({"name": [text], "number": [-1.5]}))
        back = read_own_table(io.StringIO(written))
        assert back["number"].tolist() == [-1.5]
        return written.splitlines()[1]

    return read


def _card(text: str) -> Callable[[Path], str]:
    def read(folder: Path) -> str:
        model = trained_model()[0]
        named = replace(
            model, licence=text, long_names={"A": text}, training=model.training.assign(value=text)
        )
        card = model_card(named)
        assert "<" not in card
        return card

    return read


def _sidecar(content: bytes, reader: Callable[[Path], object]) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        (folder / "dataset_description.json").write_bytes(content)
        return reader(folder)

    return read


def _metadata(folder: Path) -> object:
    return read_metadata([folder / "dataset_description.json"], folder / "sub-01_FAT.nii.gz")


@table(
    [
        *(
            Attack(f"cell {text!r}", _cell(text), ExitCode.OK, rf"\A{re.escape(cell)}\t-1\.5\Z")
            for text, cell in CELLS
        ),
        *(
            Attack(f"card {text!r}", _card(text), ExitCode.OK, rf"Licence: {re.escape(shown)}\.\n")
            for text, shown in CARD
        ),
        *(
            Attack(f"sidecar: {name}", _sidecar(content, _metadata), ExitCode.BAD_DATA, text)
            for name, content, text in SIDECARS
        ),
        *(
            Attack(f"description: {name}", _sidecar(content, data_origin), ExitCode.BAD_DATA, text)
            for name, content, text in SIDECARS[:11]
        ),
    ]
)
def test_text(attack: Attack, tmp_path: Path) -> None:
    attack.check(tmp_path)
