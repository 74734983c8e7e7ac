import json
from pathlib import Path

import pytest
from gpuspawner.options import OptionsRefused, Person, ServerOptions, names_nothing, parse_options
from hypothesis import example, given
from hypothesis import strategies as st
from labpool.settings import Catalogue, load_pool_file

ADA = Person("ada", frozenset({"vision"}))
STRANGER = Person("eve")
CPU = ServerOptions("vision", "cpu", 12.0, needs_gpu=False)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_pool_file(Path(__file__).parents[2] / "hub_config/pool.yaml").catalogue


def parse(raw: object, catalogue: Catalogue, person: Person = ADA) -> ServerOptions:
    return parse_options(raw, person, catalogue, "cpu")


@pytest.mark.parametrize("nothing", [None, {}, {"_xsrf": ["x"]}, {"project": "", "profile": [""]}, {"hours": None}])
def test_nothing_chosen_starts_the_default_cpu_profile_in_the_first_project(nothing: object, catalogue: Catalogue):
    assert parse(nothing, catalogue) == CPU


@pytest.mark.parametrize(
    "raw",
    [
        {"project": "vision", "profile": "gpu-2", "hours": 4},
        {"project": "vision", "profile": "gpu-2", "hours": "4"},
        {"project": ["vision"], "profile": ["gpu-2"], "hours": ["4.0"], "_xsrf": ["2|abc"]},
    ],
)
def test_form_rest_and_stored_options_mean_the_same(raw: object, catalogue: Catalogue):
    assert parse(raw, catalogue) == ServerOptions("vision", "gpu-2", 4.0, needs_gpu=True)


def test_what_is_stored_is_read_back_as_the_same(catalogue: Catalogue):
    options = parse({"project": "vision", "profile": "gpu-1", "hours": 0.5}, catalogue)
    assert parse(json.loads(json.dumps(options.to_store())), catalogue) == options


def test_profile_that_only_the_pool_knows_is_left_to_the_pool(catalogue: Catalogue):
    options = parse({"project": "vision", "profile": "nvidia-l4", "hours": 1}, catalogue)
    assert options == ServerOptions("vision", "nvidia-l4", 1.0, needs_gpu=True)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], "not_an_object"),
        ("gpu-1", "not_an_object"),
        ({"project": "vision", "profile": "cpu", "image": "x"}, "unknown_option"),
        ({"profile": "cpu"}, "project_missing"),
        ({"project": "vision"}, "profile_missing"),
        ({"project": "chemistry", "profile": "cpu"}, "unknown_project"),
        ({"project": {"a": 1}, "profile": "cpu"}, "unknown_project"),
        ({"project": "speech", "profile": "cpu"}, "not_a_member"),
        ({"project": "vision", "profile": ["cpu", "gpu-1"]}, "unknown_profile"),
        ({"project": "vision", "profile": "\ud800"}, "unknown_profile"),
        ({"project": "vision", "profile": "gpu-1"}, "hours_missing"),
        ({"project": "vision", "profile": "gpu-1", "hours": True}, "bad_hours"),
        ({"project": "vision", "profile": "gpu-1", "hours": "soon"}, "bad_hours"),
        ({"project": "vision", "profile": "gpu-1", "hours": float("nan")}, "bad_hours"),
        ({"project": "vision", "profile": "gpu-1", "hours": 10**400}, "bad_hours"),
        ({"project": "vision", "profile": "gpu-1", "hours": -1}, "bad_hours"),
        ({"project": "vision", "profile": "gpu-1", "hours": 9}, "too_long"),
        ({"project": "vision", "profile": "cpu", "hours": 0.01}, "too_short"),
    ],
)
def test_anything_else_is_refused_with_reason_and_remedy(raw: object, reason: str, catalogue: Catalogue):
    with pytest.raises(OptionsRefused) as refusal:
        parse(raw, catalogue)
    assert refusal.value.reason == reason
    assert refusal.value.remedy


def test_profile_of_another_project_is_refused_and_names_what_there_is(catalogue: Catalogue):
    bert = Person("bert", frozenset({"speech"}))
    with pytest.raises(OptionsRefused, match=r"It offers: cpu, gpu-1\."):
        parse({"project": "speech", "profile": "gpu-2", "hours": 1}, catalogue, bert)


def test_person_in_no_project_is_told_whom_to_ask(catalogue: Catalogue):
    with pytest.raises(OptionsRefused, match="ask a lab admin"):
        parse(None, catalogue, STRANGER)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["vision", "cpu", "gpu-1"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["project", "profile", "hours"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
@example({"project": "\n\x00\ud800" * 100, "profile": "x"})
@example({"\ud800": 1})
def test_any_json_is_either_options_or_a_refusal_that_can_be_shown(raw: object):
    catalogue = load_pool_file(Path(__file__).parents[2] / "hub_config/pool.yaml").catalogue
    try:
        options = parse(raw, catalogue)
    except OptionsRefused as refusal:
        assert str(refusal).isascii()
        assert str(refusal).isprintable()
        assert len(str(refusal)) < 500
    else:
        assert options.project == "vision"
        assert 0 < options.hours < float("inf") or options.profile not in catalogue.profiles


@pytest.mark.parametrize(
    ("query", "nothing"), [({"_xsrf": ["x"]}, True), ({"utm": ["1"]}, True), ({"hours": ["1"]}, False)]
)
def test_address_without_any_option_names_nothing(query: dict[str, object], nothing: bool):
    assert names_nothing(query) is nothing
