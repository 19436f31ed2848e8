import page_content

from bids_app.reports.content import StackContent
from bids_app.reports.layout import layout
from bids_app.reports.methods import methods


def test_tells_what_was_done_from_the_sidecars() -> None:
    (stack,) = methods(page_content.session(), layout()).stacks
    assert dict(stack.scan) == {
        "Matrix": "40 × 30 × 6",
        "Voxel size": "2 × 3 × 10 mm",
        "Field strength": "3 T",
    }
    assert stack.fat_fraction == "Fat fraction is fat / (fat + water)."
    assert stack.sources == ["bids:raw:sub-01/mr-quant/sub-01_WATER.nii.gz"]
    assert stack.model is not None
    assert (stack.model.name, stack.model.version) == ("thigh11", "1.2")
    assert stack.model.short_hash == "0123456789ab"


def test_only_listed_settings_are_told() -> None:
    settings = {
        "erode": False,
        "fat_fraction_units": "auto",
        "derivatives": {"truth": "/home/jane/masks"},
        "work_dir": "/home/jane/scratch",
    }
    told = methods(page_content.session(run=page_content.run(settings=settings)), layout())
    assert told.settings == [
        ("Label maps from", "truth"),
        ("Units of fat fraction maps in the input", "auto"),
        ("Masks eroded before fat fractions are read", "no"),
    ]


def test_echo_times_are_listed_with_their_unit() -> None:
    stack = StackContent(sidecars={"fat_fraction": {"EchoTime": [1.15, 2.3], "Manufacturer": ""}})
    told = methods(page_content.session(stacks=[stack]), layout())
    assert told.stacks[0].scan == [("Echo times", "1.15, 2.3 ms")]


def test_definitions_come_from_the_sidecar_of_the_table() -> None:
    told = methods(page_content.session(), layout())
    assert told.definitions == [("Fat fraction", "Mean of the selected voxels.")]


def test_network_is_cited_only_where_it_made_the_labels() -> None:
    by_model = methods(page_content.session(), layout())
    sidecars = {"labels": {"LabelSource": "Drawn by hand."}}
    by_hand = methods(
        page_content.session(stacks=[page_content.stack(sidecars=sidecars)]), layout()
    )
    assert "10.1038/s41592-020-01008-z" in [c.doi for c in by_model.citations]
    assert "10.1038/s41592-020-01008-z" not in [c.doi for c in by_hand.citations]
    assert by_hand.stacks[0].label_source == "Drawn by hand."
    assert by_hand.stacks[0].model is None
    assert len(by_model.citations) == len(by_hand.citations) + 1
