"""Where a trained model goes, and when it may be replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from bids_app.errors import AppError, ExitCode
from bids_app.settings import Settings
from bids_app.training_folders import (
    checkpoint_folder,
    end_training,
    model_folder,
    put_in_place,
    refuse_existing_model,
)
from bids_app.version import __version__


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "in", tmp_path / "out", "group", train="first")


def stage(settings: Settings, content: str) -> Path:
    """Store a model in a staging folder."""
    staging = settings.output_dir / "logs" / "staging" / "group"
    (staging / "models" / "first").mkdir(parents=True)
    (staging / "models" / "first" / "model.json").write_text(content)
    return staging


def assert_refused(settings: Settings) -> None:
    with pytest.raises(AppError) as caught:
        refuse_existing_model(settings)
    assert caught.value.message == (
        f"There is a model first already: {settings.output_dir / 'models' / 'first'}."
    )
    assert caught.value.exit_code is ExitCode.CANNOT_CREATE
    assert "--overwrite" in caught.value.hint


def test_a_model_may_be_replaced_until_its_training_has_ended(settings: Settings) -> None:
    refuse_existing_model(settings)
    put_in_place(settings, stage(settings, "{}"))
    assert (model_folder(settings) / "model.json").read_text() == "{}"
    refuse_existing_model(settings)
    end_training(settings)
    assert not (settings.output_dir / "logs" / "training" / "first").exists()
    assert_refused(settings)
    refuse_existing_model(replace(settings, overwrite=True))


def test_an_earlier_model_is_not_taken_for_that_of_a_killed_run(settings: Settings) -> None:
    put_in_place(settings, stage(settings, '{"model": 1}'))
    end_training(settings)
    # A second training was killed while it replaced the model, which then was put back.
    put_in_place(settings, stage(settings, '{"model": 2}'))
    (model_folder(settings) / "model.json").write_text('{"model": 1}')
    assert_refused(settings)


def test_checkpoints_of_a_search_alone_protect_nothing_and_free_nothing(
    settings: Settings,
) -> None:
    checkpoint_folder(settings).mkdir(parents=True)
    refuse_existing_model(settings)
    model_folder(settings).mkdir(parents=True)
    assert_refused(settings)


def test_versions_have_their_own_checkpoints(settings: Settings) -> None:
    assert checkpoint_folder(settings) == (
        settings.output_dir / "logs" / "training" / "first" / __version__
    )
