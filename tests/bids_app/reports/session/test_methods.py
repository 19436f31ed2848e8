from bids_app.reports.layout import layout
from bids_app.reports.session.content import StackContent
from bids_app.reports.session.methods import methods
from tests.bids_app.reports import page_content


def test_tells_what_was_done_from_the_sidecars() -> None:
    (stack,) = methods(page_content.session(), layout()).stacks
    assert dict(stack.scan) == {
        "Matrix": "40 × 30 × 6",
        "Voxel size": "2 × 3 × 10 mm",
        "Field strength": "3 T",
    }
    assert stack.fat_fraction == "F / (W + F) of magnitude images"
    assert stack.notes == ["Water was resampled to the grid of fat."]
    assert stack.sources == ["bids:raw:sub-01/mr-quant/sub-01_WATER.nii.gz"]
    assert stack.model is not None
    assert (stack.model.name, stack.model.version) == ("thigh11", "1.2")
    assert stack.model.short_hash == "0123456789ab"


def test_settings_come_from_the_sidecars_of_the_results() -> None:
    (stack,) = methods(page_content.session(), layout()).stacks
    assert stack.settings == [
        ("Images given to the network", "water, fat"),
        ("Masks eroded for fat fractions", "yes"),
        ("Fewest voxels that erosion may leave", "20"),
        ("Erosion only within slices thicker than (pixels)", "3"),
    ]


def test_settings_of_another_form_are_left_out() -> None:
    sidecars = {
        "stats": {"MeasurementOptions": "none"},
        "labels": {"SegmentationSettings": {"Folds": 5}},
    }
    stack = page_content.stack(sidecars=sidecars)
    told = methods(page_content.session(stacks=[stack]), layout())
    assert told.stacks[0].settings == [("Networks averaged", "5")]


def test_only_listed_facts_of_the_scan_are_told() -> None:
    facts = {"FlipAngle": 3.0, "Manufacturer": "", "PatientName": "Doe^Jane"}
    stack = StackContent(sidecars={"fat_fraction": {"SourceScan": facts}})
    told = methods(page_content.session(stacks=[stack]), layout())
    assert told.stacks[0].scan == [("Flip angle", "3 °")]


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
