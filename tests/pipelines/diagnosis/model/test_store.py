import hashlib
import io
import json
import os
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipelines.diagnosis.application.apply import apply_model
from pipelines.diagnosis.model.folder import read_folder, write_folder
from pipelines.diagnosis.model.store import load_model, save_model, summarize_model
from pipelines.errors import ModelError
from tests.pipelines.diagnosis.stored_models import trained_model


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "models" / "small"
    save_model(trained_model()[0], path)
    return path


def description_of(folder):
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def rewrite(folder, change):
    """Change model.json as somebody would who knows its form."""
    description = description_of(folder)
    change(description)
    (folder / "model.json").write_text(json.dumps(description), encoding="utf-8")


def replace_file(folder, name, data):
    """Replace a file and its checksum: only its content can still give it away."""
    (folder / name).write_bytes(data)

    def listed(description):
        entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        description["files"][name] = entry

    rewrite(folder, listed)


@pytest.mark.parametrize("method", ["paper", "dither"])
def test_round_trip_is_bit_identical(tmp_path, method):
    model, native = trained_model(method)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    np.testing.assert_array_equal(loaded.ensemble.predict(native), model.ensemble.predict(native))
    before, after = apply_model(model, native), apply_model(loaded, native)
    pd.testing.assert_frame_equal(before.results, after.results)
    pd.testing.assert_frame_equal(before.samples, after.samples)
    pd.testing.assert_frame_equal(before.explanation, after.explanation)
    assert loaded.ensemble.temperature == model.ensemble.temperature != 1
    assert (
        loaded.conformal.p_values(np.eye(3)).tolist()
        == model.conformal.p_values(np.eye(3)).tolist()
    )
    assert loaded.ensemble.members[0].parameters == model.ensemble.members[0].parameters
    assert loaded.long_names == {"A": "Disease of A"}
    assert loaded.headline == json.loads(json.dumps(model.headline))
    assert set(loaded.tables) == set(model.tables)
    pd.testing.assert_frame_equal(loaded.training, model.training)
    assert (loaded.origin, loaded.licence, loaded.created) == ("simulated", "CC0-1.0", "2026-01-02")


def test_saving_a_loaded_model_gives_the_same_files(folder, tmp_path):
    save_model(load_model(folder), tmp_path / "again")
    assert description_of(tmp_path / "again")["members"] == description_of(folder)["members"]
    for name, entry in description_of(folder)["files"].items():
        if not name.startswith("tables/") and name != "arrays.npz":  # zip files hold times
            assert description_of(tmp_path / "again")["files"][name] == entry, name


def test_folder_holds_plain_files_only(folder):
    names = set(description_of(folder)["files"])
    assert {"arrays.npz", "MODEL_CARD.md", "members/member-000.ubj", "tables/training.tsv"} <= names
    assert {name.rpartition(".")[2] for name in names} == {"npz", "md", "ubj", "tsv"}
    on_disk = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert on_disk == names | {"model.json"}
    assert [path.name for path in folder.parent.iterdir()] == ["small"]  # nothing temporary left


def test_summary(folder):
    summary = summarize_model(folder)
    assert summary.classes == ("A", "B", "C")
    assert (summary.name, summary.origin, summary.muscles) == ("small", "simulated", 8)
    accuracy = trained_model()[0].headline["balanced_accuracy"]["value"]
    assert summary.balanced_accuracy == accuracy
    assert summary.members == len(trained_model()[0].ensemble.members)


def test_existing_folder_is_not_overwritten(folder):
    with pytest.raises(ModelError, match="small exists already") as raised:
        save_model(trained_model()[0], folder)
    assert raised.value.hint == "Choose another name for the model, or remove it."


def test_failed_save_leaves_nothing(tmp_path, monkeypatch):
    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.rename", fail)
    with pytest.raises(OSError, match="disk full"):
        save_model(trained_model()[0], tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_and_description(tmp_path):
    with pytest.raises(ModelError, match="nowhere is no folder of a diagnosis model"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"holds no model\.json"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", ["members/member-000.ubj", "arrays.npz", "MODEL_CARD.md"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"lacks the file .*{name}"):
        load_model(folder)


def test_additional_file(folder):
    (folder / "members" / "model.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(ModelError, match=r"members/model\.pkl is no part of the model"):
        load_model(folder)


@pytest.mark.parametrize("name", ["members/member-000.ubj", "arrays.npz", "tables/training.tsv"])
def test_changed_file(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name} has changed .* SHA-256 expected"):
        load_model(folder)
    (folder / name).write_bytes(data + b"x")
    with pytest.raises(ModelError, match=f"{name} has changed .* bytes expected, found"):
        load_model(folder)


def test_symbolic_links(folder, tmp_path):
    member = folder / "members" / "member-000.ubj"
    outside = tmp_path / "outside.ubj"
    member.rename(outside)
    member.symlink_to(outside)
    with pytest.raises(ModelError, match=r"member-000\.ubj is a symbolic link"):
        load_model(folder)
    member.unlink()
    outside.rename(member)
    (folder / "tables").rename(tmp_path / "tables")
    (folder / "tables").symlink_to(tmp_path / "tables")
    with pytest.raises(ModelError, match="tables is a symbolic link"):
        load_model(folder)


def test_linked_description(folder, tmp_path):
    (folder / "model.json").rename(tmp_path / "model.json")
    (folder / "model.json").symlink_to(tmp_path / "model.json")
    with pytest.raises(ModelError, match=r"model\.json cannot be read: a symbolic link"):
        load_model(folder)


def test_special_file(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(ModelError, match="pipe is no regular file"):
        load_model(folder)


@pytest.mark.parametrize(
    "name", ["../outside.ubj", "/etc/passwd", "members/../../x", "a\\b", ".hidden", "a//b", ""]
)
def test_path_traversal(folder, name):
    entry = {"sha256": "0" * 64, "bytes": 1}
    rewrite(folder, lambda d: d["files"].update({name: entry}))
    with pytest.raises(ModelError, match=r"model\.json is no description of a model: files"):
        load_model(folder)


def test_absurd_size(folder):
    rewrite(folder, lambda d: d["files"]["arrays.npz"].update(bytes=10**13))
    with pytest.raises(ModelError, match="lists more than 4 GiB"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(format_version=1),
            "has format version 1; this software reads version 2",
        ),
        (lambda d: d.update(format="other"), "format: .*was expected"),
        (lambda d: d.pop("classes"), "'classes' is a required property"),
        (lambda d: d.update(code="import os"), "'code' was unexpected"),
        (lambda d: d.update(temperature=-1), "temperature: -1 is less than the minimum of 0.05"),
        (lambda d: d.update(origin="unknown"), "origin: 'unknown' is not one of"),
        (lambda d: d["members"].clear(), "members: .* should be non-empty"),
        (lambda d: d["members"][0].update(file="members/x.ubj"), "impossible model: KeyError"),
        (lambda d: d["feature_names"].reverse(), "feature_names does not fit the rest"),
        (lambda d: d["classes"].append({"name": "D", "long_name": ""}), "does not fit the rest"),
        (lambda d: d["categorical"].append(99), "categorical does not fit the rest"),
        (lambda d: d["harmonization"]["options"].update(method="x"), "method 'x' is unknown"),
        (lambda d: d["harmonization"]["options"].update(draws="x"), "impossible model"),
        (lambda d: d["files"].pop("arrays.npz"), r"arrays.npz is no part of the model"),
        (lambda d: d["tables"].append("more"), "impossible model: KeyError"),
    ],
)
def test_wrong_descriptions(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ModelError, match=message) as raised:
        load_model(folder)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(temperature=1e308), r"temperature: 1e\+308 is greater than"),
        (lambda d: d.update(name="../../x"), r"name: '\.\./\.\./x' does not match"),
        (lambda d: d.update(name="<script>"), "name: '<script>' does not match"),
        (
            lambda d: d["harmonization"]["options"].update(draws=10**9),
            "Number of draws 1000000000 is above 1000",
        ),
        (lambda d: d["harmonization"]["options"].update(seed=-1), "seed -1 is below 0"),
        (lambda d: d["near_normal"].update(mean_involvement=-1), "near_normal/mean_involvement"),
        (lambda d: d["headline"]["balanced_accuracy"].update(value="x"), "headline"),
        (lambda d: first_scores(d).clear(), "conformal holds impossible values"),
        (lambda d: first_scores(d).reverse(), "conformal holds impossible values"),
        (lambda d: first_scores(d).insert(0, -0.1), "conformal holds impossible values"),
        (lambda d: d["conformal"]["scores"].update(extra=[1.0]), "conformal does not fit"),
        (lambda d: d["novelty"]["references"][0]["distance"].clear(), "novelty does not fit"),
        (
            lambda d: d["novelty"]["references"][1]["class_distance"]["covariance"][0].__setitem__(
                0, -1.0
            ),
            "novelty holds impossible values",
        ),
        (
            lambda d: d["novelty"]["references"][0]["entropy"].__setitem__(0, -1.0),
            "novelty holds impossible values",
        ),
        (
            lambda d: d["novelty"]["references"][0]["class_distance"]["means"][0].__setitem__(
                0, 1e300
            ),
            "novelty holds impossible values",
        ),
        (lambda d: d["novelty"]["shares"].__setitem__(0, 1.5), "novelty holds impossible values"),
    ],
)
def test_impossible_numbers(folder, change, message):
    rewrite(folder, change)
    with pytest.raises(ModelError, match=message) as raised:
        load_model(folder)
    assert raised.value.hint


def first_scores(description):
    return next(iter(description["conformal"]["scores"].values()))


@pytest.mark.parametrize(
    ("number", "message"),
    [("1" + "0" * 400, "1000.*has 401 digits"), ("1e999", "1e999 is larger than any number")],
)
def test_numbers_that_no_computer_holds(folder, number, message):
    rewrite(folder, lambda d: d.update(temperature="HERE"))
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"HERE"', number))
    with pytest.raises(ModelError, match=f"model.json is not valid JSON: {message}"):
        summarize_model(folder)


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000])
def test_description_that_is_no_json_object(folder, text):
    (folder / "model.json").write_bytes(text)
    with pytest.raises(ModelError, match=r"model\.json is (not valid JSON|no description)"):
        load_model(folder)


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def test_pickled_objects_are_never_loaded(folder):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(folder / "executed"),)

    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored)
    arrays["mean"] = np.array([Evil()], dtype=object)
    replace_file(folder, "arrays.npz", npz(**arrays))
    with pytest.raises(
        ModelError, match=r"arrays\.npz does not hold the arrays.*mean is of type object"
    ):
        load_model(folder)
    assert not (folder / "executed").exists()


def test_wrong_arrays(folder):
    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored)
    for change, message in (
        ({"mean": arrays["mean"].astype(np.float32)}, "mean is of type float32"),
        ({"mean": arrays["mean"][:-1]}, "arrays mean and sd does not fit"),
        ({"more": arrays["mean"]}, r"it holds .*more\.npy"),
        ({"muscle_reference": arrays["muscle_reference"][:, :-1]}, "muscle_reference does not fit"),
        ({"reference": arrays["reference"][:0]}, "reference does not fit"),
        ({"reference": np.zeros((200_001, arrays["mean"].size), "f4")}, "reference does not fit"),
        ({"muscle_reference": arrays["muscle_reference"][:0]}, "muscle_reference does not fit"),
    ):
        replace_file(folder, "arrays.npz", npz(**{**arrays, **change}))
        with pytest.raises(ModelError, match=message):
            load_model(folder)
    replace_file(folder, "arrays.npz", b"PK nothing")
    with pytest.raises(ModelError, match=r"arrays\.npz does not hold the arrays of a model"):
        load_model(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("sd", 0.0, "array sd holds impossible values"),
        ("sd", -1.0, "array sd holds impossible values"),
        ("sd", 1e-300, "array sd holds impossible values"),
        ("sd", 1e5, "array sd holds impossible values"),
        ("mean", np.nan, "array mean holds impossible values"),
        ("mean", -1e300, "array mean holds impossible values"),
        ("reference", np.inf, "array reference holds impossible values"),
        ("reference", 1e4, "array reference holds impossible values"),
        ("reference", -3e38, "array reference holds impossible values"),
        ("muscle_reference", 1e6, "array muscle_reference holds impossible values"),
    ],
)
def test_impossible_values_in_arrays(folder, name, value, message):
    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored)
    arrays[name].flat[0] = value
    replace_file(folder, "arrays.npz", npz(**arrays))
    with pytest.raises(ModelError, match=message):
        load_model(folder)


@pytest.mark.parametrize("name", ["reference", "muscle_reference"])
def test_reference_patients_of_whom_nothing_is_known(folder, name):
    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored)
    arrays[name][:] = np.nan
    replace_file(folder, "arrays.npz", npz(**arrays))
    with pytest.raises(ModelError, match=f"array {name} holds impossible values"):
        load_model(folder)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((10**12,), "mean claims 8000000000000 bytes, 8 are there"),
        ((-1,), r"mean has the shape \(-1,\)"),
        ((1, 1), r"mean has the shape \(1, 1\)"),
    ],
)
def test_array_that_claims_to_be_larger_than_the_file(folder, shape, message):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": shape}
    )
    stream = io.BytesIO()
    with (
        np.load(folder / "arrays.npz") as stored,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in stored.files:
            with archive.open(f"{name}.npy", "w") as member:
                if name == "mean":
                    member.write(header.getvalue() + bytes(8))
                else:
                    np.lib.format.write_array(member, stored[name])
    replace_file(folder, "arrays.npz", stream.getvalue())
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_zip_bomb(folder, monkeypatch):
    monkeypatch.setattr("pipelines.diagnosis.model.arrays._MAX_BYTES", 2**20)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("mean", "sd", "reference"):
            archive.writestr(f"{name}.npy", b"")
        archive.writestr("muscle_reference.npy", bytes(2**21))
    assert len(stream.getvalue()) < 2**20
    replace_file(folder, "arrays.npz", stream.getvalue())
    with pytest.raises(ModelError, match="unpacks to 2097152 bytes"):
        load_model(folder)


def test_boosters_that_do_not_belong(folder):
    replace_file(folder, "members/member-000.ubj", b"not a booster")
    with pytest.raises(ModelError, match=r"members/member-000\.ubj is not a booster"):
        load_model(folder)


def test_booster_of_another_model(folder):
    from tests.pipelines.diagnosis.explanation.boosters import data_of, train

    replace_file(folder, "members/member-000.ubj", data_of(train(2)[0]))
    with pytest.raises(ModelError, match=r"member-000\.ubj knows 4 classes and 7 features"):
        load_model(folder)


def test_table_that_is_none(folder):
    replace_file(folder, "tables/training.tsv", b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=r"training\.tsv is no table"):
        load_model(folder)


def test_model_without_sets_and_novelty(tmp_path):
    model = replace(trained_model()[0], conformal=None, novelty=None, headline={}, tables={})
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.conformal is None
    assert loaded.novelty is None
    assert summarize_model(tmp_path / "m").balanced_accuracy is None


def test_names_in_tables_are_neutral_for_spreadsheets_and_come_back(tmp_path):
    model = trained_model()[0]
    training = model.training.assign(value="=cmd|x")
    folder = tmp_path / "model"
    save_model(replace(model, training=training), folder)
    assert "\t'=cmd|x\t" in (folder / "tables" / "training.tsv").read_text()
    assert load_model(folder).training["value"].tolist() == ["=cmd|x"] * len(training)


def test_files_are_written_as_listed(tmp_path, folder):
    description, content = read_folder(folder)
    description.pop("files")
    write_folder(tmp_path / "copy", description, content)
    assert read_folder(tmp_path / "copy") == read_folder(folder)
    assert (tmp_path / "copy").stat().st_mode & 0o777 == (
        tmp_path / "models"
    ).stat().st_mode & 0o777
