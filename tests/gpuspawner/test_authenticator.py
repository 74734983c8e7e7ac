import pytest
from gpuspawner.authenticator import DemoAuthenticator, NotOnLoopback, Throttle
from tornado import web
from traitlets import Unicode
from traitlets.config import Configurable

PASSWORD = "abcd-efgh-jkmn-pqrs"


class HubAt(Configurable):
    bind_url = Unicode("http://127.0.0.1:8000").tag(config=True)


def demo(**arguments: object) -> DemoAuthenticator:
    return DemoAuthenticator(parent=HubAt(), password=PASSWORD, **arguments)


async def test_right_password_gives_the_account_with_its_groups():
    assert await demo().authenticate(None, {"username": "ada", "password": PASSWORD}) == {
        "name": "ada",
        "groups": ["vision"],
        "admin": False,
    }


async def test_only_the_admin_is_an_admin():
    found = await demo().authenticate(None, {"username": "admin", "password": PASSWORD})
    assert found is not None
    assert found["admin"] is True


@pytest.mark.parametrize(
    ("name", "password"),
    [("ada", "wrong"), ("ada", ""), ("ada", PASSWORD + "x"), ("ada", "é\ud800"), ("nobody", PASSWORD), ("", PASSWORD)],
)
async def test_wrong_password_or_name_is_refused(name: str, password: str):
    assert await demo().authenticate(None, {"username": name, "password": password}) is None


async def test_no_password_set_lets_nobody_in():
    open_to_nobody = DemoAuthenticator(parent=HubAt(), password="")
    assert await open_to_nobody.authenticate(None, {"username": "ada", "password": ""}) is None


async def test_account_pauses_after_too_many_wrong_passwords_and_others_do_not():
    sign_in = demo(failures_allowed=3)
    for _ in range(3):
        await sign_in.authenticate(None, {"username": "ada", "password": "wrong"})
    with pytest.raises(web.HTTPError, match="429"):
        await sign_in.authenticate(None, {"username": "ada", "password": PASSWORD})
    assert await sign_in.authenticate(None, {"username": "bert", "password": PASSWORD})


def test_pause_ends_and_a_success_forgets_the_failures():
    now = [0.0]
    throttle = Throttle(allowed=2, pause=30, clock=lambda: now[0])
    throttle.failed("ada")
    throttle.failed("ada")
    assert throttle.wait("ada") == 30
    now[0] = 31
    assert throttle.wait("ada") == 0
    throttle.succeeded("ada")
    throttle.failed("ada")
    assert throttle.wait("ada") == 0


@pytest.mark.parametrize(
    "address", ["http://0.0.0.0:8000", "http://:8000", "http://192.0.2.1:8000", "http://lab.example"]
)
def test_hub_that_others_can_reach_is_refused_with_the_remedy(address: str):
    with pytest.raises(NotOnLoopback, match="bind_url"):
        DemoAuthenticator(parent=HubAt(bind_url=address), password=PASSWORD)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8000", "http://localhost:1234/base/", "http://[::1]:8000"])
def test_hub_on_loopback_is_fine(address: str):
    DemoAuthenticator(parent=HubAt(bind_url=address), password=PASSWORD)
