import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from bids_app.reports.session.content import Failure, LabelEntry, SessionContent, StackContent
from bids_app.reports.session.page import render_session, session_figures
from pipelines.anatomy.vocabulary import label_values
from tests.bids_app.reports import page_content
from tests.bids_app.reports.html_page import Element, parse, sections
from tests.bids_app.reports.page_content import session, stack

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def page() -> Element:
    return parse(render_session(session()))


def rows(page: Element, table: int = 0) -> Iterator[tuple[str, list[Element]]]:
    for row in page.all("table", "muscles")[table].all("tr"):
        if row.all("td"):
            yield row.one("th").text, row.all("td")


def test_sections_come_in_the_order_of_the_layout(page: Element) -> None:
    assert sections(page) == [
        "Quality checks",
        "Fat fraction of each muscle",
        "Slices",
        "Muscles",
        "Fat fraction along the muscles",
        "Methods",
        "Files",
    ]


def test_header_says_who_what_and_that_it_is_no_medical_device(page: Element) -> None:
    header = page.all("header")[0].text
    assert "Participant 01" in header
    assert "Session" not in header
    assert "Matrix 40 × 30 × 6; Voxel size 2 × 3 × 10 mm; Field strength 3 T" in header
    assert "thigh11 1.2 0123456789ab" in header
    assert "MyoMIDS 9.8.7" in header
    assert "Research use only. Not a medical device" in header
    assert page.all("title")[0].text == "sub-01: Muscle MRI report"
    assert page.one("html").attributes["lang"] == "en"


def test_session_and_origin_are_named_where_there_are_any() -> None:
    content = session(session="followup", run=page_content.run(data_origin="phantom"))
    page = parse(render_session(content))
    assert page.all("title")[0].text == "sub-01_ses-followup: Muscle MRI report"
    assert "Session followup" in page.all("header")[0].text
    assert "Phantom data." in page.one(css_class="origin").text
    assert not parse(render_session(session())).all(css_class="origin")


def test_lights_have_word_value_and_limit(page: Element) -> None:
    table = page.one("table", "lights")
    assert [
        [cell.text for cell in row.content if isinstance(cell, Element)] for row in table.all("tr")
    ] == [
        ["Result", "Check", "Value", "Limit", "Meaning"],
        ["Fail", "Water/fat swap", "", "", "Water and fat are exchanged."],
        ["Caution", "Noise floor", "6.13 %", "5 %", "Noise lifts low fat fractions."],
        ["Pass", "Body outline", "41.2 %", "5 %", "The body was found."],
    ]
    assert page.one(css_class="summary").text == "1 pass 1 caution 1 fail"
    # Each level has a shape of its own, for readers who do not see the colours.
    shapes = [row.one("svg").content[0] for row in table.one("tbody").all("tr")]
    drawn = {(s.tag, s.attributes.get("d")) for s in shapes if isinstance(s, Element)}
    assert len(drawn) == 3


def test_numbers_on_the_page_are_those_of_the_table(page: Element) -> None:
    stats = page_content.stats().set_index(["muscle", "side"])
    shown = dict(rows(page))
    assert list(shown) == ["Sartorius", "Vastus lateralis", "Quadriceps femoris"]
    columns = [(m, s) for m in ("ff_mean", "volume_ml", "ccsa_max_cm2") for s in ("right", "left")]
    positions = {("ff_mean", "right"): 0, ("ff_mean", "left"): 1, ("volume_ml", "right"): 3}
    positions |= {
        ("volume_ml", "left"): 4,
        ("ccsa_max_cm2", "right"): 6,
        ("ccsa_max_cm2", "left"): 7,
    }
    for muscle in ("sartorius", "vastus_lateralis"):
        cells = shown[muscle.replace("_", " ").capitalize()]
        for measure, side in columns:
            data = cells[positions[measure, side]].one("data")
            value = float(stats.loc[(muscle, side), measure])
            assert float(data.attributes["value"]) == pytest.approx(value, rel=1e-5)
            assert float(data.text) == pytest.approx(
                value, abs=0.51 if measure == "volume_ml" else 0.051
            )
    sartorius = [cell.text for cell in shown["Sartorius"]]
    assert sartorius == [
        "8.5 ± 4.1",
        "12.2 ± 3.1",
        "+3.8",
        "120",
        "100",
        "−18.1",
        "6.5",
        "5.5",
        "cut at the top (both)",
    ]
    group = [cell.text for cell in shown["Quadriceps femoris"]]
    assert group[:5] == ["–", "55.0", "–", "–", "140"]
    assert group[-1] == "cut at the bottom (left); 1 of 4 muscles (left)"


def test_bars_are_as_long_as_the_fat_fraction(page: Element) -> None:
    cell = dict(rows(page))["Vastus lateralis"][0]
    assert cell.one("svg").attributes["viewbox"] == "0 0 100 6"
    assert cell.one("path", "value").attributes["d"] == "M0 0h61.4v6H0Z"


def test_second_table_holds_the_details(page: Element) -> None:
    details = page.one("details")
    assert details.one("summary").text == "More numbers"
    assert dict(rows(page, 1))["Sartorius"][1].text == "11.2"  # median on the left


def test_table_headings_have_a_scope(page: Element) -> None:
    scopes = {th.attributes.get("scope") for th in page.all("th")}
    assert scopes == {"col", "colgroup", "row"}
    head = page.all("table", "muscles")[0].one("thead").all("tr")
    assert [(th.text, th.attributes.get("colspan")) for th in head[0].all("th")] == [
        ("Muscle", None),
        ("Fat fraction (%)", "3"),
        ("Volume (ml)", "3"),
        ("Contractile area (cm²)", "2"),
        ("Read with care", None),
    ]
    assert [th.text for th in head[1].all("th")] == [
        *("Right", "Left", "L − R (points)"),
        *("Right", "Left", "L − R (%)"),
        *("Right", "Left"),
    ]


def test_pictures_have_a_text_and_ids_are_unique(page: Element) -> None:
    for svg in page.all("svg"):
        if svg.attributes.get("role") == "img":
            label = svg.attributes.get("aria-label")
            if label is None:
                target = page.by_id(svg.attributes["aria-labelledby"])
                assert target is not None
                label = target.text
            assert len(label) > 20
        else:
            assert svg.attributes["aria-hidden"] == "true"
    ids = [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_left_and_right_are_marked_on_every_slice(page: Element) -> None:
    mosaic = page.one("figure", "mosaic")
    slices = [g for g in mosaic.all("g") if g.all("image")]
    assert len(slices) == 4
    for slice_ in slices:
        right, left = (t for t in slice_.all("text") if t.text in "RL")
        assert (right.text, left.text) == ("R", "L")
        assert float(right.attributes["x"]) < float(left.attributes["x"])
    assert "the patient's right (R) is on the left" in mosaic.one("figcaption").text
    assert [t.text for t in mosaic.all("text") if t.text.startswith("Slice")] == [
        *("Slice 4", "Slice 3", "Slice 2", "Slice 1")
    ]


def test_map_shows_the_mean_in_every_muscle(page: Element) -> None:
    _, colored = page.one(css_class="pair").all("figure")
    texts = [t.text for t in colored.all("text")]
    assert sorted(texts[:4]) == ["12", "55", "61", "8"]


def test_legend_names_every_muscle_once(page: Element) -> None:
    assert [item.text for item in page.one(css_class="legend").all("li")] == [
        "SA Sartorius",
        "VL Vastus lateralis",
    ]


def test_profiles_are_drawn_for_both_sides(page: Element) -> None:
    charts = page.one(css_class="charts").all("figure")
    assert [chart.one("figcaption").text for chart in charts] == ["Sartorius", "Vastus lateralis"]
    for chart in charts:
        sides = [
            p.attributes["class"] for p in chart.all("path") if "curve" in p.attributes["class"]
        ]
        assert sides == ["curve right", "curve left"]


def test_methods_and_files(page: Element) -> None:
    methods = page.by_id("methods")
    assert methods is not None
    told = {div.one("dt").text: div.one("dd").text for div in methods.all("div")}
    assert told["Segmentation model"] == "thigh11 1.2 (SHA-256 0123456789ab…)"
    assert told["Masks eroded for fat fractions"] == "yes"
    assert told["Read from"] == "bids:raw:sub-01/mr-quant/sub-01_WATER.nii.gz"
    assert methods.one("p").text == "Water was resampled to the grid of fat."
    files = page.by_id("files")
    assert files is not None
    assert [a.attributes["href"] for a in files.all("a")] == [
        "sub-01/mr-quant/sub-01_FF.nii.gz",
        "sub-01/mr-quant/sub-01_desc-muscles_stats.tsv",
    ]


def test_page_loads_nothing_from_outside(page: Element) -> None:
    for element in page.walk():
        for name, value in element.attributes.items():
            if element.tag == "a" and name == "href":
                assert value.startswith(("https://doi.org/10.", "sub-01/"))
            elif name in ("src", "href", "srcset", "data", "action", "poster"):
                assert value.startswith("data:image/png;base64,")
            assert not re.search(r"url\((?!#)", value)
            assert not name.startswith("on")
    assert {e.tag for e in page.walk()}.isdisjoint({"script", "link", "iframe", "object", "embed"})
    assert "url(" not in page.one("style").text
    assert "@import" not in page.one("style").text
    policy = [m for m in page.all("meta") if "content-security-policy" in str(m.attributes).lower()]
    assert policy[0].attributes["content"].startswith("default-src 'none'; img-src data:;")


def test_nothing_that_may_name_a_person_or_folder_is_told() -> None:
    html = render_session(session())
    assert "Doe" not in html
    assert "/home/jane" not in html


def test_everything_from_outside_is_escaped() -> None:
    evil = '<script>alert("x")</script>&\''
    value = next(iter(page_content.lookup()))
    entry = LabelEntry(value, evil, evil, f'red;"{evil}', evil, "left")
    check = {"name": evil, "level": "warn", "text": evil, "value": 1.0, "unit": evil}
    stats = page_content.stats()
    stats["muscle"] = evil
    sidecars = {
        "fat_fraction": {
            "QualityChecks": [check],
            "FatFractionMethod": evil,
            "Sources": [evil],
            "Notes": [evil],
            "SourceScan": {"Manufacturer": evil},
        },
        "labels": {"SegmentationModel": dict.fromkeys(("Name", "Version", "SHA256"), evil)},
        "stats": {"ff_mean": {"Description": evil}, "MeasurementOptions": {"Erode": evil}},
    }
    nasty = stack(
        name=evil,
        lookup={value: entry},
        stats=stats,
        profile=page_content.profile().assign(muscle=evil),
        sidecars=sidecars,
    )
    content = SessionContent(
        evil,
        evil,
        replace(page_content.run(), software=evil, created=evil),
        [nasty, stack()],
        [Failure(evil, evil, evil, evil)],
    )
    html = render_session(content)
    page = parse(html)
    assert "<script" not in html.lower()
    assert not page.all("script")
    # It is shown, not dropped.
    assert page.text.count('alert("x")') > 20
    figures = list(session_figures(content).values())
    assert all("<script" not in figure.lower() for figure in figures)
    texts = ["".join(ET.fromstring(figure).itertext()) for figure in figures]
    assert evil in texts[0]


def test_failed_session_tells_why_and_nothing_else() -> None:
    failure = Failure("sub-01_WATER.nii.gz is truncated.", "Copy it again.", "reading", "acq-a")
    page = parse(render_session(session(stacks=[], failures=[failure])))
    assert sections(page) == ["What failed"]
    text = page.one(css_class="failures").text
    assert "No result could be made for this session." in text
    assert "acq-a, reading: sub-01_WATER.nii.gz is truncated. Copy it again." in text


def test_failure_of_one_stack_stands_before_the_results_of_the_other() -> None:
    page = parse(render_session(session(failures=[Failure("No muscle was found.")])))
    assert sections(page)[:2] == ["What failed", "Quality checks"]
    assert "No result could be made" not in page.text


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"labels": None}, {"Fat fraction of each muscle"}),
        ({"stats": None}, {"Muscles"}),
        ({"stats": page_content.stats().iloc[:0]}, {"Muscles"}),
        ({"profile": None}, {"Fat fraction along the muscles"}),
        ({"fat_fraction": None, "affine": None}, {"Fat fraction of each muscle", "Slices"}),
        ({"sidecars": {}}, {"Quality checks"}),
        ({"files": []}, {"Files"}),
        ({"lookup": {}}, set()),
    ],
    ids=["labels", "stats", "no rows", "profile", "map", "sidecars", "files", "lookup"],
)
def test_what_is_absent_is_left_out(
    page: Element, changes: dict[str, object], missing: set[str]
) -> None:
    partial = parse(render_session(session(stacks=[stack(**changes)])))
    assert sections(partial) == [s for s in sections(page) if s not in missing]


def test_stack_with_a_map_alone() -> None:
    only_map = StackContent(fat_fraction=page_content.fat_fraction(), affine=page_content.AFFINE)
    page = parse(render_session(session(stacks=[only_map])))
    assert sections(page) == ["Slices", "Methods"]
    assert not page.all(css_class="legend")


def test_several_stacks_are_told_apart() -> None:
    stacks = [stack(name="acq-a"), stack(name="acq-b")]
    page = parse(render_session(session(stacks=stacks)))
    assert [h.text for h in page.all("h2", "stack")] == ["Stack acq-a", "Stack acq-b"]
    # Sections of a stack are one level below its name.
    assert [h.text for h in page.all("h3", "section")].count("Muscles") == 2
    lights = page.one("table", "lights")
    assert "Stack" in lights.one("thead").text
    ids = [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_figures_are_files_of_their_own() -> None:
    figures = session_figures(session(session="1", stacks=[stack(name="acq-a")]))
    assert list(figures) == [
        f"sub-01_ses-1_acq-a_{name}.svg" for name in ("names", "map", "mosaic")
    ]
    for text in figures.values():
        root = ET.fromstring(text)
        assert root.tag == f"{SVG}svg"
        assert {t.text for t in root.iter(f"{SVG}text")} >= {"R", "L"}
        assert "var(" not in text  # no style sheet to look into
    mosaic = ET.fromstring(figures["sub-01_ses-1_acq-a_mosaic.svg"])
    assert len(list(mosaic.iter(f"{SVG}image"))) == 4
    assert session_figures(session(stacks=[])) == {}


def test_large_noisy_session_is_small_and_quick() -> None:
    """512 x 512 x 16 with noise to the edge, which compresses worst, and 22 muscles."""
    rng = np.random.default_rng(7)
    fat_fraction = rng.uniform(0, 100, (512, 512, 16)).astype(np.float32)
    labels = np.zeros(fat_fraction.shape, np.uint16)
    lookup = {}
    thigh = [(v, m, s) for v, (m, s) in label_values().items() if m.region == "thigh"][:22]
    for place, (value, muscle, side) in enumerate(thigh):
        row, column = divmod(place, 6)
        x, y = np.ogrid[:512, :512]
        disc = (x - 60 - 78 * column) ** 2 + (y - 100 - 90 * row) ** 2 < 35**2
        labels[disc] = value
        lookup[value] = LabelEntry(
            value, muscle.name, muscle.abbreviation, muscle.color, muscle.name, side
        )
    affine = np.diag([0.75, 0.75, 24.0, 1.0])
    large = stack(fat_fraction=fat_fraction, labels=labels, lookup=lookup, affine=affine)
    render_session(session())  # templates are read once
    start = time.process_time()
    html = render_session(session(stacks=[large]))
    assert time.process_time() - start < 6
    assert len(html.encode()) < 3_000_000
    assert len(parse(html).one("figure", "mosaic").all("path")) >= 16 * 22
    assert html.count("data:image/png") == 17
