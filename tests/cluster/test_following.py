"""Following objects of a cluster through lists, changes, breaks and what the API server has forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
from labpool.cluster import ClusterRefused, ClusterUnavailable, Followed, Kind, following

from tests.waits import eventually

Object = Mapping[str, object]
AWAY = ClusterUnavailable("no answer")


def thing_of(item: Object) -> str | None:
    said = str(item["said"])
    if said == "unreadable":
        raise ValueError("no thing")
    return said or None


KIND = Kind("things", "/api/v1/things", thing_of, (("labelSelector", "ours"),))


def thing(name: str, said: str, version: str = "1") -> Object:
    return {"metadata": {"name": name, "namespace": "lab", "resourceVersion": version}, "said": said}


def event(what: str, item: Object) -> Object:
    return {"type": what, "object": item}


class Scripted:
    """A source that answers as a test says: each list and each watch as the next of its script, then it hangs."""

    def __init__(self) -> None:
        self.lists: list[list[Object] | Exception] = []
        self.watches: list[list[Object] | Exception] = []
        self.asked: list[str] = []
        self.seconds: list[float] = []

    async def list_as_of(self, path: str, chosen: Mapping[str, str]) -> tuple[list[Object], str]:
        assert (path, chosen) == (KIND.path, dict(KIND.chosen))
        self.asked.append("list")
        if not self.lists:
            await asyncio.Event().wait()
        answer = self.lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, "10"

    async def watch(self, path: str, parameters: Mapping[str, str], seconds: float) -> AsyncIterator[Object]:
        assert path == KIND.path and parameters["labelSelector"] == "ours"
        self.asked.append(f"watch {parameters['resourceVersion']}")
        self.seconds.append(seconds)
        if not self.watches:
            await asyncio.Event().wait()
        answer = self.watches.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for each in answer:
            yield each


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    monkeypatch.setattr(following, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(following, "_LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(following, "_TROUBLE_SECONDS", 0.0)
    return Scripted()


def until(condition: Callable[[], bool]) -> Awaitable[None]:
    return eventually(condition, "what the source was to be asked, or its trouble")


async def followed(source: Scripted, then: Callable[[Followed[str]], Awaitable[None]]) -> Followed[str]:
    found = Followed(source, KIND)
    found.begin()
    try:
        await then(found)
    finally:
        await found.close()
    return found


def names(found: Followed[str]) -> dict[str, str]:
    return {name: said for (_, name), said in found.objects.items()}


async def test_changes_after_the_list_are_kept(source: Scripted):
    source.lists = [[thing("a", "one"), thing("b", "two"), thing("c", "")]]
    source.watches = [
        [
            event("ADDED", thing("d", "new", "11")),
            event("MODIFIED", thing("a", "changed", "12")),
            event("MODIFIED", thing("c", "of interest now", "13")),
            event("DELETED", thing("b", "two", "14")),
        ]
    ]
    found = await followed(source, lambda _: until(lambda: len(source.asked) == 3))
    assert names(found) == {"a": "changed", "c": "of interest now", "d": "new"}
    assert source.asked == ["list", "watch 10", "watch 14"]


async def test_watch_that_breaks_off_goes_on_where_it_was_without_a_list(source: Scripted):
    source.lists = [[thing("a", "one")]]
    source.watches = [[event("BOOKMARK", thing("", "", "20"))], AWAY, AWAY, [event("ADDED", thing("b", "two", "21"))]]
    found = await followed(source, lambda _: until(lambda: len(source.asked) == 6))
    assert names(found) == {"a": "one", "b": "two"}
    assert source.asked == ["list", "watch 10", "watch 20", "watch 20", "watch 20", "watch 21"]


async def test_all_is_listed_anew_where_the_api_server_has_forgotten(source: Scripted):
    source.lists = [[thing("a", "one"), thing("gone", "meanwhile")], [thing("a", "two")]]
    source.watches = [[event("ERROR", {"code": 410, "message": "too old resource version"})]]
    found = await followed(source, lambda _: until(lambda: len(source.asked) == 4))
    assert names(found) == {"a": "two"}
    assert source.asked == ["list", "watch 10", "list", "watch 10"]


async def test_trouble_is_told_and_what_was_seen_last_is_kept_until_it_is_over(source: Scripted):
    source.lists = [[thing("a", "one")]]
    source.watches = [AWAY] * 20

    async def see(found: Followed[str]) -> None:
        await until(lambda: found.trouble is not None)
        assert found.trouble == "We don't see the cluster's things: no answer"
        assert names(found) == {"a": "one"}
        source.watches = [[event("MODIFIED", thing("a", "back", "30"))]]
        await until(lambda: found.trouble is None)

    assert names(await followed(source, see)) == {"a": "back"}


async def test_first_watch_after_a_break_is_short_so_that_its_end_shows_that_all_is_well(source: Scripted):
    source.lists = [[thing("a", "one")]]
    source.watches = [AWAY, []]
    found = await followed(source, lambda _: until(lambda: len(source.seconds) == 3))
    assert found.trouble is None
    assert source.seconds[1] < 5 < source.seconds[0] == source.seconds[2]


async def test_refusal_is_trouble_at_once_and_nothing_counts_as_listed(
    source: Scripted, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(following, "_TROUBLE_SECONDS", 999.0)
    source.lists = [ClusterRefused("we may not")]

    async def see(found: Followed[str]) -> None:
        await until(lambda: found.trouble is not None)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(found.listed(), 0.05)

    await followed(source, see)


async def test_whoever_waits_is_woken_by_a_change_and_not_by_what_changes_nothing(source: Scripted):
    woken: list[int] = []
    source.lists = [[thing("a", "one")]]
    source.watches = [
        [event("MODIFIED", thing("a", "one", "11")), event("BOOKMARK", thing("", "", "12"))],
        [event("MODIFIED", thing("a", "two", "13"))],
    ]
    found = Followed(source, KIND, lambda: woken.append(len(source.asked)))
    found.begin()
    await until(lambda: len(source.asked) == 4)
    await found.close()
    assert woken == [1, 3]


async def test_waiting_for_a_change_ends_with_it_or_in_time(source: Scripted):
    source.lists = [[thing("a", "one")]]
    source.watches = [AWAY, AWAY, [event("MODIFIED", thing("a", "two", "13"))]]

    async def wait(found: Followed[str]) -> None:
        assert await found.until(lambda: names(found).get("a") == "two", 10)
        assert not await found.until(lambda: "b" in names(found), 0.01)

    await followed(source, wait)


async def test_object_that_cannot_be_read_any_more_is_not_gone(source: Scripted):
    source.lists = [[thing("a", "one"), thing("b", "two")], [thing("a", "unreadable"), thing("b", "unreadable")]]
    source.watches = [
        [event("MODIFIED", thing("a", "unreadable", "11")), event("ERROR", {"code": 410, "message": "forgotten"})],
        [event("DELETED", thing("b", "unreadable", "12"))],
    ]
    found = await followed(source, lambda _: until(lambda: len(source.asked) == 5))
    assert names(found) == {"a": "one"}


async def test_object_that_cannot_be_read_hides_no_other(source: Scripted):
    source.lists = [[thing("bad", "unreadable"), thing("a", "one")]]
    source.watches = [[event("ADDED", thing("worse", "unreadable", "11")), event("ADDED", thing("b", "two", "12"))]]
    found = await followed(source, lambda _: until(lambda: len(source.asked) == 3))
    assert names(found) == {"a": "one", "b": "two"}
