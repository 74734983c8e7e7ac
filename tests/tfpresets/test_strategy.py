"""TensorFlow arranges its devices once a process, so these run in processes of their own."""

import json
import re
from pathlib import Path

import pytest

from tests.tfpresets.environments import leased_environment, plain_environment, run_script

pytestmark = pytest.mark.tensorflow


def test_two_simulated_gpus_train_as_two_replicas_and_say_so(tmp_path: Path):
    script = """
import numpy as np, tensorflow as tf, tfpresets
tf.keras.utils.set_random_seed(1)
strategy = tfpresets.strategy()
assert tfpresets.strategy() is strategy
assert strategy.num_replicas_in_sync == 2
assert len(tf.config.list_logical_devices("CPU")) == 2
assert tfpresets.precision("auto") == "float32"
assert tfpresets.xla("on") is False
x = np.random.default_rng(0).normal(size=(361, 6, 6, 1)).astype("float32")
y = np.random.default_rng(1).integers(0, 3, size=361)
with strategy.scope():
    layers = [tf.keras.layers.Conv2D(4, 3, activation="relu"), tf.keras.layers.Flatten(), tf.keras.layers.Dense(3)]
    model = tf.keras.Sequential([tf.keras.Input((6, 6, 1)), *layers])
    model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(tfpresets.pipeline(x, y, batch_size=90), epochs=1, verbose=0)
logits = model(x).numpy()
right = float((logits.argmax(1) == y).mean())
loss = float(tf.keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True).numpy().mean())
for batch_size in (90, 360, 400, 2):
    got = model.evaluate(tfpresets.pipeline(x, y, batch_size=batch_size, training=False), verbose=0)
    np.testing.assert_allclose(got, [loss, right], rtol=1e-5)
predicted = model.predict(tfpresets.pipeline(x, batch_size=90, training=False), verbose=0)
np.testing.assert_allclose(predicted, logits, rtol=1e-4, atol=1e-5)
try:
    tfpresets.pipeline(x, y, batch_size=63)
except tfpresets.BatchSizeError as error:
    print(error)
"""
    printed = run_script(script, leased_environment(2, tmp_path), tmp_path)
    assert "MirroredStrategy over 2 logical CPU devices, one for each simulated GPU" in printed
    assert "XLA: off, because model.fit can't be compiled with it for several replicas" in printed
    assert "batch_size is 63; expected a positive multiple of 2" in printed
    assert "not on a labpool server" not in printed


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one process printed in one environment after the other, by the name of the part."""
    folder = tmp_path_factory.mktemp("one-process")
    devices = json.dumps([{"id": "GPU-5d1c", "flavour": "a100-80gb", "simulated": False}])
    environments = {
        "real": {"LABPOOL_PRESET": "single", "LABPOOL_DEVICES": devices},
        "profile": {**leased_environment(1, folder), "LABPOOL_PRECISION": "mixed_bfloat16", "LABPOOL_XLA": "on"},
        "late": leased_environment(2, folder),
    }
    printed = run_script(SCRIPT, plain_environment() | {"ENVIRONMENTS": json.dumps(environments)}, folder)
    parts = printed.split("== ")[1:]
    return dict(part.split("\n", 1) for part in parts)


SCRIPT = """
import json, os
import numpy as np, tensorflow as tf, tfpresets

def refused(act, *arguments, **options):
    try:
        act(*arguments, **options)
    except (ValueError, RuntimeError) as error:
        print(type(error).__name__, error)

print("== plain")
tf.constant(1.0) + 1.0
assert tfpresets.strategy() is tf.distribute.get_strategy()
assert tfpresets.precision() == "float32"
assert tfpresets.xla() is False

print("== batches")
x, y = np.arange(12.0).reshape(6, 2), np.arange(6)
batches = list(tfpresets.pipeline(x, y, batch_size=4, training=False).as_numpy_iterator())
assert [len(labels) for _, labels in batches] == [4, 2]
np.testing.assert_array_equal(np.concatenate([features for features, _ in batches]), x)
train = tfpresets.pipeline(x, y, batch_size=4)
assert train.element_spec[0].shape == (4, 2)
epochs = [labels for _ in range(20) for _, labels in train.as_numpy_iterator()]
assert len(epochs) == 20
assert all(len(set(labels)) == 4 for labels in epochs)
print("orders", len({tuple(labels) for labels in epochs}))
refused(tfpresets.pipeline, x, y[:5])
refused(tfpresets.pipeline, x, y, batch_size=8)

print("== policies")
for policy in ("mixed_bfloat16", "float32"):
    assert tfpresets.precision(policy) == tf.keras.mixed_precision.global_policy().name == policy
refused(tfpresets.precision, "float8")
refused(tfpresets.xla, "yes")

environments = json.loads(os.environ["ENVIRONMENTS"])
os.environ.update(environments["real"])
print("== real")
refused(tfpresets.strategy)
os.environ.update(environments["profile"])
print("== profile")
print(tfpresets.precision("auto"), tfpresets.xla("auto"), tfpresets.precision("float32"), tfpresets.xla("off"))
os.environ.update(environments["late"])
print("== late")
refused(tfpresets.strategy)
"""


def test_a_plain_machine_is_used_as_it_is_and_that_is_said_once(said: dict[str, str]):
    assert "".join(said.values()).count("not on a labpool server") == 1
    assert "strategy: TensorFlow's default, on the CPU." in said["plain"]


def test_training_batches_are_shuffled_anew_each_epoch(said: dict[str, str]):
    orders = re.search(r"orders (\d+)", said["batches"])
    assert orders is not None
    assert int(orders[1]) > 1


def test_samples_that_make_no_batches_are_refused(said: dict[str, str]):
    assert "BatchSizeError x has 6 samples and y has 5" in said["batches"]
    assert "BatchSizeError 6 samples don't fill one batch of 8" in said["batches"]


def test_unknown_settings_are_refused(said: dict[str, str]):
    assert "SettingError precision()'s policy is 'float8'" in said["policies"]
    assert "SettingError xla()'s setting is 'yes'" in said["policies"]


def test_a_lease_of_real_gpus_that_are_not_there_is_an_error(said: dict[str, str]):
    assert "GPUsNotFound this server leased 1 GPU(s) and TensorFlow sees 0" in said["real"]


def test_the_profiles_precision_and_xla_are_what_auto_means(said: dict[str, str]):
    assert said["profile"].splitlines()[-1] == "mixed_bfloat16 True float32 False"


def test_asking_too_late_says_to_restart_the_kernel(said: dict[str, str]):
    assert "DevicesAlreadyStarted" in said["late"]
    assert "Restart the kernel, and call tfpresets.strategy() before anything that computes" in said["late"]
