from importlib.resources import files

import pytest

from bids_app.dataset.naming import entity_keys, kinds, rule_for, spellings

# Every name of water, fat, in-phase, opposed-phase, fat fraction and echo images that
# converters, reconstruction software and scanners are known to write.
WRITTEN = {
    "water": "WATER Water water wat W w dix_wat megre_dix_wat",
    "fat": "FAT Fat fat F f dix_fat megre_dix_fat",
    "in_phase": "in IP ip inph INPH InPhase in-phase megre_dix_inph",
    "opposed_phase": "opp OP op outph OUTPH OutPhase opposed-phase megre_dix_outph",
    "ff": "FF ff fatfr FatFrac FatFraction PDFF fat-fraction dix_fatfr megre_dix_fatfr",
    "megre": "MEGRE megre Megre",
    "mese": "MESE mese",
    "water_fraction": "watfr megre_dix_watfr",
    "r2star": "r2star R2starmap megre_dix_r2star",
    "t1w": "T1w t1w t1w-fs",
}


@pytest.mark.parametrize(
    ("kind", "suffix"), [(kind, s) for kind, names in WRITTEN.items() for s in names.split()]
)
def test_known_names(kind, suffix):
    rule = rule_for(suffix)
    assert rule is not None
    assert rule.kind == kind
    assert rule.part is None


@pytest.mark.parametrize(
    ("suffix", "kind", "part"),
    [
        ("megre_ph", "megre", "phase"),
        ("megre_real", "megre", "real"),
        ("megre_imag", "megre", "imag"),
        ("mese_ph", "mese", "phase"),
    ],
)
def test_suffixes_that_say_the_part(suffix, kind, part):
    rule = rule_for(suffix)
    assert rule is not None
    assert (rule.kind, rule.part) == (kind, part)


@pytest.mark.parametrize(
    ("suffix", "note"),
    [
        ("MEGRE_RECO", "joined along the slices"),
        ("seg_auto_megre_dix_outph", "a segmentation"),
        ("dseg", "a segmentation"),
        ("mese_t2_wat", "a map of a T2 fit"),
        ("mese_t2_fatfr", "a map of a T2 fit"),
        ("megre_dix_b0", "another map of the Dixon reconstruction"),
    ],
)
def test_known_but_left_alone(suffix, note):
    rule = rule_for(suffix)
    assert rule is not None
    assert rule.kind is None
    assert note in rule.note


@pytest.mark.parametrize("suffix", ["bold", "patient", "extra", "MEGRE_patient", "waterfall", ""])
def test_unknown(suffix):
    assert rule_for(suffix) is None


def test_table_is_well_formed():
    lines = (files("bids_app.dataset") / "scan_kinds.tsv").read_text("utf-8").splitlines()
    assert lines[0].split("\t") == ["pattern", "kind", "part", "written_by", "note"]
    rows = [line.split("\t") for line in lines[1:]]
    assert {len(row) for row in rows} == {5}
    assert {row[2] for row in rows} <= {"n/a", "mag", "phase", "real", "imag"}
    patterns = [row[0] for row in rows]
    assert len(set(patterns)) == len(patterns)
    assert all(pattern == pattern.casefold().replace("-", "_") for pattern in patterns)
    assert all(row[1] in kinds() for row in rows if row[1] != "n/a")


def test_every_row_can_be_reached():
    for kind in kinds():
        for pattern in spellings(kind):
            rule = rule_for(pattern)
            assert rule is not None
            assert rule.pattern == pattern


def test_entity_keys():
    keys = entity_keys()
    assert keys["acquisition"] == "acq"
    assert keys["stack"] == "stk"
    assert keys["bodypart"] == "bp"
    assert keys["mt"] == "mt"
    assert "suffix" not in keys
    assert len(set(keys.values())) == len(keys)
    assert list(keys)[:2] == ["subject", "session"]
