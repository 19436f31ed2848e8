"""The image as a SIF, run by a plain user: Apptainer, BABS, a SLURM array."""

import json
import os
import pwd
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from bids_app.errors import ExitCode
from tests.container.comparison import assert_same_results, complaints
from tests.container.conftest import PARTICIPANTS, open_to_all
from tests.container.engines import Apptainer

REPOSITORY = Path(__file__).parents[2]
ARRAY_SCRIPT = REPOSITORY / "docs" / "hpc" / "myomids-array.sbatch"
BABS_CONFIG = REPOSITORY / "descriptors" / "babs" / "myomids-0-4-0.yaml"


@pytest.fixture
def folder(tmp_path: Path, apptainer: Apptainer) -> Path:
    """A folder of the plain user."""
    open_to_all(tmp_path)
    owner = pwd.getpwnam(apptainer.user)
    for name in ("out", "work"):
        (tmp_path / name).mkdir()
        os.chown(tmp_path / name, owner.pw_uid, owner.pw_gid)
    return tmp_path


def test_rootless_under_every_constraint(
    apptainer: Apptainer, native: Path, example: Path, folder: Path
) -> None:
    """No environment, no home, no network, 64 MB of /tmp: the same results as natively."""
    participant = PARTICIPANTS[0]
    arguments = ["/data", "/out", "participant", "--participant-label", participant]
    binds = {example: "/data:ro", folder / "out": "/out", folder / "work": "/work"}
    done = apptainer.strict([*arguments, "--work-dir", "/work"], binds)
    assert done.returncode == ExitCode.OK, done.stderr
    assert complaints(done.stderr) == []
    assert_same_results(folder / "out", native, participant)
    description = json.loads((folder / "out" / "dataset_description.json").read_text())
    assert description["GeneratedBy"][0]["Container"]["Type"] == "apptainer"


def make_sparse_clone(example: Path, participant: str, clone: Path) -> None:
    """Copy a dataset as DataLad clones it for one job.

    Files at the root and of one participant, images as links into .git/annex; the other
    participants are links whose content was not fetched.
    """
    shutil.copytree(example, clone, ignore=shutil.ignore_patterns("derivatives", "code"))
    for number, image in enumerate(sorted(clone.rglob("*.nii.gz"))):
        content = clone / ".git" / "annex" / "objects" / f"key{number}"
        content.parent.mkdir(parents=True, exist_ok=True)
        image.rename(content)
        if f"sub-{participant}" not in str(image):
            content.unlink()
        image.symlink_to(os.path.relpath(content, image.parent))


def babs_job(apptainer: Apptainer) -> str:
    """Write a job as BABS does from the configuration that we ship."""
    config = yaml.safe_load(BABS_CONFIG.read_text())
    arguments = config["bids_app_args"]
    label_flag = arguments.pop("$SUBJECT_SELECTION_FLAG")
    ((folder, version),) = config["zip_foldernames"].items()
    assert config["all_results_in_one_zip"] is True
    assert arguments.pop("-w") == "$BABS_TMPDIR"
    options = " ".join(f"{flag} {value}" for flag, value in arguments.items())
    return f"""
        set -e -u
        mkdir -p "$PWD/.git/tmp/wkdir" outputs/{folder}
        {apptainer.program} run -B "$PWD" {" ".join(config["singularity_args"])} {apptainer.sif} \\
            "$PWD/{config["input_datasets"]["BIDS"]["path_in_babs"]}" "$PWD/outputs/{folder}" \\
            participant -w "$PWD/.git/tmp/wkdir" {options} {label_flag} "$1"
        cd outputs
        python3 -m zipfile -c ../$1_{folder}-{version}.zip {folder}
        rm -rf {folder}
    """


def test_as_babs_calls_it(apptainer: Apptainer, native: Path, example: Path, folder: Path) -> None:
    """One participant with its prefix, a sparse clone, the exit code as truth, one zip of all."""
    participant, other = PARTICIPANTS
    job_folder = folder / "out"
    make_sparse_clone(example, participant, job_folder / "inputs" / "data" / "BIDS")
    open_to_all(folder)
    job = ["bash", "-ec", f"cd {job_folder}\n{babs_job(apptainer)}", "job"]
    done = apptainer.as_user([*job, f"sub-{participant}"])
    assert done.returncode == ExitCode.OK, done.stderr
    assert list((job_folder / "outputs").iterdir()) == []
    with zipfile.ZipFile(job_folder / f"sub-{participant}_myomids-0-4-0.zip") as archive:
        archive.extractall(folder / "merged")
    assert_same_results(folder / "merged" / "myomids", native, participant)
    assert (folder / "merged" / "myomids" / "dataset_description.json").is_file()
    # A participant whose images were not fetched: no zip, and a line that can be searched for.
    failed = apptainer.as_user([*job, f"sub-{other}"])
    assert failed.returncode == ExitCode.INPUT_MISSING
    assert "datalad get" in failed.stderr
    assert "exit code 66 (INPUT_MISSING)" in failed.stderr
    assert [path.name for path in job_folder.glob("*.zip")] == ["sub-01_myomids-0-4-0.zip"]


def test_slurm_array(
    apptainer: Apptainer, slurm: Path, native: Path, example: Path, folder: Path
) -> None:
    """The script of the documentation, for two participants side by side in one output folder."""
    labels = folder / "participants.txt"
    labels.write_text("".join(f"sub-{label}\n" for label in PARTICIPANTS))
    shutil.copy(ARRAY_SCRIPT, folder)
    open_to_all(folder)
    command = [
        "sbatch", "--wait", "--array=1-2", "--cpus-per-task=1", "--mem=6G",
        f"--chdir={folder / 'out'}", str(folder / ARRAY_SCRIPT.name),
        str(apptainer.sif), str(example), str(folder / "out" / "results"), str(labels),
    ]  # fmt: skip
    path = f"{apptainer.program.parent}:{os.environ['PATH']}"
    done = apptainer.as_user(command, SLURM_CONF=str(slurm), PATH=path)
    logs = "\n".join(log.read_text() for log in (folder / "out").glob("myomids-*.log"))
    assert done.returncode == ExitCode.OK, done.stderr + logs
    for participant in PARTICIPANTS:
        assert_same_results(folder / "out" / "results", native, participant)
    assert not list(Path("/tmp").glob("myomids-??????")), "scratch is removed"
    # A label that is not there: the array fails with the code of MyoMIDS.
    labels.write_text("sub-77\n")
    failed = apptainer.as_user(
        [c.replace("1-2", "1") for c in command], SLURM_CONF=str(slurm), PATH=path
    )
    assert failed.returncode == ExitCode.NOTHING_SELECTED


def test_the_definition_keeps_everything_of_the_image(apptainer: Apptainer) -> None:
    labels = json.loads(
        apptainer.as_user([str(apptainer.program), "inspect", "--json", str(apptainer.sif)]).stdout
    )
    text = json.dumps(labels)
    assert "org.opencontainers.image.version" in text
    done = apptainer.strict(["myomids", "--version"], {}, action="exec")
    assert done.stdout.startswith("MyoMIDS ")
