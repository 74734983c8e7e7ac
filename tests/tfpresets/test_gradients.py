"""The norm against tf.GradientTape's, and the wrapped optimizer against the plain one, on one and on two replicas."""

import json

import pytest

from tests.tfpresets.environments import leased_environment, run_script

pytestmark = [pytest.mark.tensorflow, pytest.mark.long, pytest.mark.once]

SCRIPT = """
import json
import numpy as np, tensorflow as tf, tfpresets

strategy = tfpresets.strategy()
LAYERS = tf.keras.layers
MSE = tf.keras.losses.MeanSquaredError()
random = np.random.default_rng(0)
X, Y = random.normal(size=(8, 5)).astype("float32"), random.normal(size=(8, 3)).astype("float32")
WORDS = np.array([[1, 1, 2], [2, 0, 1], [3, 3, 3], [1, 2, 3]] * 2)

def dense():
    return [tf.keras.Input((5,)), LAYERS.Dense(4, activation="tanh"), LAYERS.Dense(3, dtype="float32")]

def words():
    return [tf.keras.Input((3,), dtype="int32"), LAYERS.Embedding(5, 4), LAYERS.Flatten(), LAYERS.Dense(3)]

def compiled(optimizer, layers):
    tf.keras.utils.set_random_seed(7)
    with strategy.scope():
        model = tf.keras.Sequential(layers())
        model.compile(optimizer(), MSE)
    return model

def fit(model, x, epochs=1):
    model.fit(tf.data.Dataset.from_tensor_slices((x, Y)).batch(8), epochs=epochs, shuffle=False, verbose=0)

def taped_norm(model, x):
    with tf.GradientTape() as tape:
        loss = MSE(Y, model(x, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    return float(tf.linalg.global_norm([tf.convert_to_tensor(gradient) for gradient in gradients]))

def watched(make):
    return lambda: tfpresets.watch_gradients(make())

def norms(make, layers=dense, x=X, find=lambda optimizer: optimizer):
    model = compiled(watched(make), layers)
    expected = taped_norm(model, x)
    fit(model, x)
    return float(find(model.optimizer).gradient_norm.numpy()), expected

def weights(optimizer):
    model = compiled(optimizer, dense)
    fit(model, X, epochs=3)
    model.optimizer.learning_rate = 0.5
    fit(model, X)
    return [weight.tolist() for weight in model.get_weights()] + [int(model.optimizer.iterations.numpy())]

SGD, Adam = tf.keras.optimizers.SGD, tf.keras.optimizers.Adam
results = {
    "replicas": strategy.num_replicas_in_sync,
    "sgd": norms(lambda: SGD(0.1)),
    "clipped": norms(lambda: SGD(0.1, global_clipnorm=1e-3)),
    "scaled": norms(lambda: Adam(0.1, loss_scale_factor=1024.0)),
    "embedding": norms(lambda: SGD(0.1), words, WORDS),
    "plain": weights(lambda: Adam(0.05)),
    "watched": weights(watched(lambda: Adam(0.05))),
}
tf.keras.mixed_precision.set_global_policy("mixed_float16")
results["mixed_float16"] = norms(lambda: SGD(0.1), find=lambda optimizer: optimizer.inner_optimizer)
tf.keras.mixed_precision.set_global_policy("float32")

model = compiled(watched(lambda: Adam(0.05)), dense)
fit(model, X, epochs=2)
model.save("model.keras")
with strategy.scope():
    loaded = tf.keras.models.load_model("model.keras")
results["saved"] = [type(loaded.optimizer).__name__, int(loaded.optimizer.iterations.numpy())]
fit(model, X)
fit(loaded, X)
results["continued"] = [[weight.tolist() for weight in m.get_weights()] for m in (model, loaded)]
try:
    tfpresets.watch_gradients("adam")
except TypeError as error:
    results["refused"] = str(error)
print(json.dumps(results))
"""


@pytest.fixture(scope="module", params=[1, 2], ids=["one replica", "two replicas"])
def results(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("gradients")
    found = json.loads(run_script(SCRIPT, leased_environment(request.param, folder), folder).splitlines()[-1])
    assert found["replicas"] == request.param
    return found


@pytest.mark.parametrize("case", ["sgd", "clipped", "scaled", "embedding"])
def test_the_norm_is_that_of_the_whole_batchs_gradient(results, case: str):
    got, expected = results[case]
    assert got == pytest.approx(expected, rel=1e-5)


def test_the_norm_is_free_of_the_scale_that_float16_training_needs(results):
    got, expected = results["mixed_float16"]
    assert got == pytest.approx(expected, rel=2e-2)


def test_training_is_the_wrapped_optimizers_own(results):
    assert results["watched"] == results["plain"]


def test_a_saved_model_goes_on_where_it_was(results):
    assert results["saved"] == ["GradientWatch", 2]
    goes_on, loaded = results["continued"]
    assert loaded == goes_on


def test_what_is_no_optimizer_is_refused(results):
    assert "expected a Keras 3 optimizer" in results["refused"]
