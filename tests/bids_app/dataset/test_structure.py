import pytest

from bids_app.dataset.sessions import Dataset
from bids_app.dataset.structure import check_structure
from bids_app.errors import AppError, ExitCode
from tests.bids_app.mids_tree import make_tree, water_and_fat

DESCRIPTION = {"dataset_description.json": {"Name": "x", "MIDSVersion": "1.0"}}


def check(root, content, *select) -> list[str]:
    dataset = Dataset(make_tree(root, content))
    return check_structure(dataset, dataset.select(*select))


def refusal(root, content, *select) -> AppError:
    with pytest.raises(AppError) as caught:
        check(root, content, *select)
    assert caught.value.exit_code == ExitCode.INVALID_DATASET
    assert "--skip-bids-validation" in caught.value.hint
    return caught.value


def test_sound_tree_passes_in_silence(tmp_path):
    content = {
        **DESCRIPTION,
        **water_and_fat("sub-1/mr-quant/sub-1"),
        **water_and_fat("sub-2/ses-1/mr-quant/sub-2_ses-1"),
        "participants.tsv": "participant_id\tage\nsub-1\t40\n2\t50\n",
    }
    assert check(tmp_path, content) == []


def test_session_may_be_missing_from_file_names(tmp_path):
    assert check(tmp_path, {**DESCRIPTION, **water_and_fat("sub-2/ses-1/mr-quant/sub-2")}) == []


def test_missing_description_is_a_warning(tmp_path):
    assert check(tmp_path, water_and_fat("sub-1/mr-quant/sub-1")) == [
        f"{tmp_path} has no dataset_description.json; MIDS converters write none."
    ]


def test_derivative_dataset_is_a_warning(tmp_path):
    content = {"sub-1/": None, "dataset_description.json": {"DatasetType": "derivative"}}
    (warning,) = check(tmp_path, content)
    assert "says that this is a derivative dataset" in warning


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"Name": "x"\n"BIDSVersion": "1.8"}', "line 2, column 1: Expecting ',' delimiter"),
        ("[1]", "holds no JSON object"),
    ],
)
def test_damaged_description(tmp_path, text, problem):
    error = refusal(tmp_path, {"sub-1/": None, "dataset_description.json": text})
    assert f"{tmp_path / 'dataset_description.json'}" in error.message
    assert problem in error.message


def test_file_of_another_participant(tmp_path):
    error = refusal(tmp_path, {**DESCRIPTION, **water_and_fat("sub-1/mr-quant/sub-2")})
    path = tmp_path / "sub-1/mr-quant/sub-2_FAT.nii.gz"
    assert "has 2 problem(s):" in error.message
    assert f"- {path} is named sub-2 but lies in the folder of sub-1" in error.message


def test_file_of_another_session(tmp_path):
    content = {**DESCRIPTION, "sub-1/ses-1/mr-quant/sub-1_ses-2_FF.nii.gz": None}
    error = refusal(tmp_path, content)
    assert "is named ses-2 but lies in the folder of sub-1_ses-1" in error.message


def test_file_with_session_outside_sessions(tmp_path):
    error = refusal(tmp_path, {**DESCRIPTION, "sub-1/mr-quant/sub-1_ses-2_FF.nii.gz": None})
    assert "is named ses-2 but lies in the folder of sub-1" in error.message


def test_labels_that_would_be_left_out_silently(tmp_path):
    content = {**DESCRIPTION, "sub-1/ses-pre_op/": None, "sub-Doe_John/": None}
    error = refusal(tmp_path, content)
    assert f"- {tmp_path / 'sub-Doe_John'} is not used: after sub- only letters" in error.message
    assert f"- {tmp_path / 'sub-1/ses-pre_op'} is not used: after ses- only" in error.message


def test_only_selected_participants_are_checked(tmp_path):
    content = {
        **DESCRIPTION,
        **water_and_fat("sub-1/mr-quant/sub-1"),
        **water_and_fat("sub-2/mr-quant/sub-3"),
        "sub-Doe_John/": None,
    }
    assert check(tmp_path, content, ["1"]) == []


def test_long_lists_of_problems_end(tmp_path):
    names = {f"sub-1/mr-quant/sub-2_run-{n}_FF.nii.gz": "" for n in range(25)}
    error = refusal(tmp_path, {**DESCRIPTION, **names})
    assert "has 25 problem(s):" in error.message
    assert error.message.count("\n- ") == 10
    assert error.message.endswith("and 15 more")


def test_participants_missing_from_the_table_are_a_warning(tmp_path):
    content = {
        **DESCRIPTION,
        **{f"sub-{n}/": None for n in range(3)},
        "participants.tsv": "participant_id\nsub-1\n",
    }
    assert check(tmp_path, content) == [
        f"{tmp_path / 'participants.tsv'} does not list the participant(s) 0, 2."
    ]


def test_unreadable_participants_table_is_a_warning(tmp_path):
    content = {**DESCRIPTION, "sub-1/": None, "participants.tsv": "Größe".encode("latin-1")}
    assert check(tmp_path, content) == [
        f"{tmp_path / 'participants.tsv'} is not UTF-8 text (byte 2)."
    ]


def test_real_dataset(shared_data):
    dataset = Dataset(shared_data / "ideal-thigh")
    assert check_structure(dataset, dataset.select()) == []
