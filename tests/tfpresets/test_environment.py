import json
import subprocess
import sys

import pytest
from tfpresets.environment import Device, Environment, SettingError, read_environment

from tests.tfpresets.environments import plain_environment

SIMULATED = {"id": "demo-0", "flavour": "demo-gpu", "simulated": True, "memory_gib": 16}
REAL = {"id": "GPU-5d1c", "flavour": "a100-80gb", "simulated": False}


def test_a_machine_without_labpool_has_no_preset_and_no_devices():
    assert read_environment({"HOME": "/home/ada"}) == Environment()


def test_leased_devices_are_read_with_their_memory():
    environment = read_environment({"LABPOOL_PRESET": "single", "LABPOOL_DEVICES": json.dumps([SIMULATED])})
    assert environment.devices == (Device("demo-0", "demo-gpu", True, 16.0),)
    assert (environment.simulated, environment.leased) == (1, 0)


def test_real_devices_count_as_leased():
    environment = read_environment({"LABPOOL_DEVICES": json.dumps([REAL, REAL])})
    assert (environment.simulated, environment.leased) == (0, 2)


@pytest.mark.parametrize("text", ["{", '{"id": "x"}', '["x"]', '[{"id": "x"}]', "7"])
def test_devices_that_make_no_sense_are_refused_with_their_text(text: str):
    with pytest.raises(SettingError, match="expected a JSON list") as refused:
        read_environment({"LABPOOL_DEVICES": text})
    assert text in str(refused.value)


def test_real_and_simulated_devices_together_are_refused():
    with pytest.raises(SettingError, match="mixes real and simulated"):
        read_environment({"LABPOOL_DEVICES": json.dumps([SIMULATED, REAL])})


@pytest.mark.parametrize("name", ["LABPOOL_PRESET", "LABPOOL_PRECISION", "LABPOOL_XLA"])
def test_an_unknown_value_is_refused_with_those_that_are_known(name: str):
    with pytest.raises(SettingError, match=f"{name} is 'warp'; expected one of "):
        read_environment({name: "warp"})


@pytest.mark.parametrize("project", ["../speech", "a/b", ".hidden", "x" * 101, "a b"])
def test_a_project_that_would_lead_out_of_the_log_store_is_refused(project: str):
    with pytest.raises(SettingError, match="LABPOOL_PROJECT"):
        read_environment({"LABPOOL_PROJECT": project})


def test_importing_the_package_does_not_import_tensorflow():
    check = "import sys, tfpresets; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], env=plain_environment(), check=False).returncode == 0


def test_without_tensorflow_the_error_says_what_to_install():
    script = """
import sys
sys.modules["tensorflow"] = None
import tfpresets
tfpresets.strategy()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=plain_environment(), capture_output=True, text=True, check=False
    )
    assert "tfpresets.strategy needs TensorFlow 2.16 or newer" in done.stderr
