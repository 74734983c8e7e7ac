from __future__ import annotations

from pathlib import Path

import pytest
from labpool.settings import InvalidSetting, Ports, config_folder, pool_file_path

from tests.settings.conftest import DEMO


def test_ports_have_defaults_and_reach_children_unchanged():
    assert Ports.read({}) == Ports(proxy=8000, proxy_api=8001, hub=8081, pool=8100, logs=8101)
    named = Ports.read({"LABPOOL_PORT": "9000", "LABPOOL_LOGS_PORT": "9005", "LABPOOL_HUB_PORT": ""})
    assert (named.proxy, named.logs, named.hub) == (9000, 9005, 8081)
    assert Ports.read(named.environment()) == named


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "8000.5", " 80", "٣", "1" * 30])
def test_what_is_no_port_is_told(text: str):
    with pytest.raises(InvalidSetting) as caught:
        Ports.read({"LABPOOL_POOL_PORT": text})
    assert str(caught.value) == (f'LABPOOL_POOL_PORT is "{text}"; expected a port, a whole number from 1 to 65535.')


def test_one_port_for_two_parts_is_told():
    with pytest.raises(InvalidSetting, match="LABPOOL_PORT and LABPOOL_POOL_PORT are both 8100"):
        Ports.read({"LABPOOL_PORT": "8100"})


def test_addresses_follow_the_ports():
    ports = Ports(1, 2, 3, 4, 5)
    assert ports.public_url == "http://127.0.0.1:1"
    assert ports.proxy_api_url == "http://127.0.0.1:2"
    assert ports.hub_api_url == "http://127.0.0.1:3/hub/api"
    assert ports.pool_url == "http://127.0.0.1:4/services/pool"
    assert ports.logs_url == "http://127.0.0.1:5"


def test_pool_file_is_the_checkouts_unless_named(tmp_path: Path):
    assert pool_file_path({}) == DEMO
    assert pool_file_path({"LABPOOL_CONFIG": str(tmp_path)}) == tmp_path / "pool.yaml"
    assert pool_file_path({"LABPOOL_CONFIG": "/nowhere", "LABPOOL_POOL_FILE": "/a/b.yaml"}) == Path("/a/b.yaml")


def test_missing_configuration_folder_is_told(tmp_path: Path):
    with pytest.raises(InvalidSetting, match=r'LABPOOL_CONFIG is ".*/no"; set LABPOOL_CONFIG to the folder with'):
        config_folder({"LABPOOL_CONFIG": str(tmp_path / "no")})
