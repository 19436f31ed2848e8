import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bids_app.errors import ExitCode
from bids_app.version import __version__
from bids_app.wrapper.command import main
from tests.bids_app.wrapper.conftest import IMAGE
from tests.bids_app.wrapper.fake_engine import FakeContainer, FakeEngine

Engine = Callable[..., FakeEngine]


def test_a_run(engine: Engine, dataset: Path, tmp_path: Path) -> None:
    fake = engine(FakeContainer(exit_code=80))
    out, work = tmp_path / "out", tmp_path / "work"
    arguments = [str(dataset), str(out), "participant", "-w", str(work), "--omp-nthreads", "1"]
    assert main(arguments) == 80
    assert fake.image == IMAGE
    assert fake.arguments == [
        str(dataset), str(out), "participant", "--omp-nthreads=1", f"--work-dir={work}",
    ]  # fmt: skip
    assert fake.bind(dataset) is True
    assert fake.bind(out) is False
    assert fake.bind(work) is False
    assert out.is_dir()
    assert fake.container.calls == ["start", "remove", "close"]


def test_a_work_folder_is_made_and_removed(engine: Engine, dataset: Path, tmp_path: Path) -> None:
    fake = engine()
    assert main([str(dataset), str(tmp_path / "out"), "participant"]) == 0
    (work,) = [a.removeprefix("--work-dir=") for a in fake.arguments if "--work-dir" in a]
    assert fake.bind(work) is False
    assert not Path(work).exists()


def test_the_configuration_file_names_folders_too(
    engine: Engine, dataset: Path, tmp_path: Path
) -> None:
    labels, work, config = tmp_path / "labels", tmp_path / "work", tmp_path / "myomids.yaml"
    labels.mkdir()
    config.write_text(f"work_dir: {work}\nderivatives:\n  manual: {labels}\n")
    fake = engine()
    out = tmp_path / "out"
    assert main([str(dataset), str(out), "participant", "--config-file", str(config)]) == 0
    assert fake.bind(config) is True
    assert fake.bind(labels) is True
    assert fake.bind(work) is False
    assert not [a for a in fake.arguments if "--work-dir" in a]


def test_a_relative_folder_in_the_configuration_file(
    engine: Engine, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "myomids.yaml"
    config.write_text("model_registry: models.json\n")
    engine()
    arguments = [str(dataset), str(tmp_path / "out"), "participant", "--config-file", str(config)]
    assert main(arguments) == ExitCode.USAGE
    assert "'models.json', which depends on the current folder" in capsys.readouterr().err


def test_a_dry_run_makes_nothing(engine: Engine, dataset: Path, tmp_path: Path) -> None:
    fake = engine()
    assert main([str(dataset), str(tmp_path / "out"), "participant", "--dry-run"]) == 0
    assert [m["Target"] for m in fake.options["mounts"]] == [str(dataset)]
    assert not (tmp_path / "out").exists()


def test_list_needs_no_folder(engine: Engine, tmp_path: Path) -> None:
    registry = tmp_path / "registry.json"
    registry.write_text('{"models": []}')
    fake = engine()
    assert main(["--list", "models", "--json", "--model-registry", str(registry)]) == 0
    assert fake.arguments == [f"--model-registry={registry}", "--list=models", "--json"]
    assert fake.bind(registry) is True


def test_gpus_are_implied_by_the_device(engine: Engine, dataset: Path, tmp_path: Path) -> None:
    arguments = [str(dataset), str(tmp_path / "out"), "participant"]
    for more in (["--device", "cuda:1"], ["--gpus"]):
        fake = engine()
        assert main([*arguments, *more]) == 0
        assert fake.image == f"{IMAGE}-cuda"
        assert len(fake.options["device_requests"]) == 1
        assert "--gpus" not in fake.arguments


def test_own_options_stay_outside(engine: Engine, dataset: Path, tmp_path: Path) -> None:
    fake = engine(images=("lab/myomids:7",))
    out = str(tmp_path / "out")
    own = ["--image", "lab/myomids:7", "--network", "host"]
    assert main([str(dataset), out, "participant", *own]) == 0
    assert fake.image == "lab/myomids:7"
    assert fake.options["network_mode"] == "host"
    assert not {"--image", "--network"} & {a.partition("=")[0] for a in fake.arguments}


def test_dask_needs_a_network(
    engine: Engine, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine()
    dask = ["--executor", "dask", "--dask-scheduler", "tcp://10.0.0.1:8786", "-w", str(tmp_path)]
    assert main([str(dataset), str(tmp_path / "out"), "participant", *dask]) == ExitCode.USAGE
    assert "Add --network host." in capsys.readouterr().err


@pytest.mark.parametrize("output", [".", "nowhere/../."])
def test_mistakes_are_found_before_anything_is_made(
    engine: Engine, dataset: Path, output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = engine()
    work = dataset / "work"
    assert main([str(dataset), str(dataset / output), "participant"]) == ExitCode.USAGE
    assert main([str(dataset), "/tmp/o", "participant", "-w", str(work)]) == ExitCode.USAGE
    assert not work.exists()
    assert fake.container.calls == []
    assert "The output folder is the dataset itself" in capsys.readouterr().err


def test_missing_image_ends_with_its_code(
    engine: Engine, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine(images=())
    assert main([str(dataset), str(tmp_path / "out"), "participant"]) == ExitCode.UNAVAILABLE
    assert capsys.readouterr().err.endswith("myomids: exit code 69 (UNAVAILABLE)\n")


def test_bad_model_registry(
    engine: Engine, dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine()
    arguments = [str(dataset), str(tmp_path / "out"), "participant", "--model-registry", "/no.json"]
    assert main(arguments) == ExitCode.UNAVAILABLE
    assert "The model registry /no.json cannot be read" in capsys.readouterr().err


def test_an_interrupt_before_the_start(
    monkeypatch: pytest.MonkeyPatch, dataset: Path, tmp_path: Path
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bids_app.wrapper.command.connect", interrupted)
    assert main([str(dataset), str(tmp_path / "out"), "participant"]) == ExitCode.TRY_AGAIN


def test_not_on_windows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delattr("signal.SIGKILL")
    assert main([]) == ExitCode.UNAVAILABLE
    assert "WSL" in capsys.readouterr().err


def test_help_and_version_answer_at_once(repository: Path) -> None:
    """Neither needs an engine, nor anything heavy; the help has the options of both."""
    code = (
        "import sys; sys.argv = ['myomids-docker', '--help']\n"
        "from bids_app.wrapper.command import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'numpy', 'pandas', 'docker'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True
    )
    assert "usage: myomids-docker" in done.stdout
    assert "--participant-label" in done.stdout
    assert f"(default: myomids:{__version__}, with" in " ".join(done.stdout.split())
    assert done.stdout.endswith("[]\n")
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
