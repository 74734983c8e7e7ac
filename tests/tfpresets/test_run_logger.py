import json
from pathlib import Path

import pytest

from tests.tfpresets.environments import leased_environment, run_script
from tests.tfpresets.scalars import read_scalars

pytestmark = pytest.mark.tensorflow

SCRIPT = """
import json, os
from pathlib import Path
import numpy as np, tensorflow as tf, tfpresets

x, y = np.random.default_rng(0).normal(size=(20, 3)).astype("float32"), np.zeros((20, 1), "float32")
schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5)
notices = Path(os.environ["LABPOOL_RUNTIME"]) / "notice.json"

def say(message):
    fields = {"kind": "ending", "at": "2026-11-22T17:45:00+00:00", "ends_at": "2026-11-22T18:00:00+00:00"}
    notices.write_text(json.dumps({**fields, "message": message}))

def at_epoch(epoch, logs):
    if epoch == 1:
        say("This server ends in 15 minutes.")
    if epoch == 4:
        say("This server ends in 5 minutes.")
    if epoch == 5:
        notices.write_text("{")

def fit(optimizer, logger, epochs, **options):
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    told = tf.keras.callbacks.LambdaCallback(on_epoch_begin=at_epoch)
    train = tfpresets.pipeline(x, y, batch_size=4)
    model.fit(train, epochs=epochs, shuffle=False, verbose=0, callbacks=[told, logger], **options)
    return model

folder = tfpresets.run_dir("steps")
logger = tfpresets.RunLogger(folder, every_steps=2)
held_out = tfpresets.pipeline(x, y, batch_size=4, training=False)
history = fit(tfpresets.watch_gradients(tf.keras.optimizers.SGD(schedule)), logger, 6, validation_data=held_out).history
epochs = tfpresets.RunLogger()
fit(tf.keras.optimizers.SGD(0.01), epochs, 1)
try:
    tfpresets.RunLogger(folder, every_steps=0)
except ValueError as error:
    print(error)
schedule = {step: float(schedule(step)) for step in (2, 5, 30)}
print(json.dumps({"history": history.history, "schedule": schedule, "folders": [str(folder), str(epochs.folder)]}))
"""


class Logged:
    """What the script's two runs printed and wrote: one every two steps, one every epoch without `watch_gradients`."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        told = json.loads(printed.splitlines()[-1])
        self.history: dict[str, list[float]] = told["history"]
        self.schedule: dict[str, float] = told["schedule"]
        by_steps, by_epochs = (Path(folder) for folder in told["folders"])
        self.train = read_scalars(by_steps / "train")
        self.validation = read_scalars(by_steps / "validation")
        self.by_epochs = read_scalars(by_epochs / "train")


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Logged:
    folder = tmp_path_factory.mktemp("runs")
    environment = leased_environment(0, folder / "logs") | {"LABPOOL_RUNTIME": str(folder)}
    return Logged(run_script(SCRIPT, environment, folder))


def test_training_values_are_written_every_two_steps_and_at_the_end_of_each_epoch(logged: Logged):
    assert list(logged.train["loss"])[:6] == [2, 4, 5, 7, 9, 10]
    assert max(logged.train["loss"]) == 30


def test_training_and_validation_share_names_so_that_they_share_a_chart(logged: Logged):
    assert set(logged.train) == {"loss", "mae", "learning_rate", "gradient_norm"}
    assert set(logged.validation) == {"loss", "mae"}


def test_values_at_the_end_of_an_epoch_are_those_that_keras_reports(logged: Logged):
    ends = range(5, 31, 5)
    assert [logged.train["loss"][step] for step in ends] == pytest.approx(logged.history["loss"], rel=1e-6)
    assert [logged.validation["mae"][step] for step in ends] == pytest.approx(logged.history["val_mae"], rel=1e-6)
    assert list(logged.validation["loss"]) == list(ends)


def test_the_learning_rate_follows_its_schedule(logged: Logged):
    for step, rate in logged.schedule.items():
        assert logged.train["learning_rate"][int(step)] == pytest.approx(rate, rel=1e-6)


def test_the_gradient_norm_has_a_value_wherever_the_loss_has(logged: Logged):
    assert list(logged.train["gradient_norm"]) == list(logged.train["loss"])
    assert min(logged.train["gradient_norm"].values()) > 0


def test_an_optimizer_without_the_wrapper_is_logged_without_a_norm_and_that_is_said(logged: Logged):
    assert {name: list(values) for name, values in logged.by_epochs.items()} == {
        "loss": [5],
        "mae": [5],
        "learning_rate": [5],
    }
    assert logged.printed.count("no gradient norm is logged; wrap the optimizer") == 1


def test_each_notice_is_printed_once(logged: Logged):
    assert logged.printed.count("tfpresets: This server ends in 15 minutes.") == 1
    assert logged.printed.count("tfpresets: This server ends in 5 minutes.") == 1


def test_a_broken_notice_does_not_end_the_training(logged: Logged):
    assert logged.printed.count("notice.json can't be read as a notice") == 1


def test_logging_every_zero_steps_is_refused(logged: Logged):
    assert "every_steps is 0; expected at least 1" in logged.printed
