"""Each mistake in pool.yaml is answered with file, line, key, what was expected, what was found and what to do."""

from __future__ import annotations

import pytest

from tests.settings.conftest import SMALL, Refused


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1, old
    return SMALL.replace(old, new)


ONE_MISTAKE = {
    "text for a number": (
        changed("gpus: 1", "gpus: two"),
        'pool.yaml:6: profiles.one.gpus: expected a whole number from 0 to 64, got "two". Write, for example, gpus: 1',
    ),
    "quoted number": (
        changed("gpus: 1", 'gpus: "1"'),
        'pool.yaml:6: profiles.one.gpus: expected a whole number from 0 to 64, got "1". Write, for example, gpus: 1',
    ),
    "decimal for a whole number": (
        changed("gpus: 1", "gpus: 1.5"),
        "pool.yaml:6: profiles.one.gpus: expected a whole number from 0 to 64, got 1.5. Write, for example, gpus: 1",
    ),
    "truth value for a number": (
        changed("gpus: 1", "gpus: true"),
        "pool.yaml:6: profiles.one.gpus: expected a whole number from 0 to 64, got true. Write, for example, gpus: 1",
    ),
    "negative number": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: -2}"),
        "pool.yaml:11: projects.vision.nominal.gpu: expected a whole number from 0 to 1024, got -2. "
        "Write, for example, gpu: 2",
    ),
    "number out of bounds": (
        changed("max_hours: 8", "max_hours: 0"),
        "pool.yaml:6: profiles.one.max_hours: expected a number above 0 and at most 8760, got 0. "
        "Write, for example, max_hours: 8",
    ),
    "no finite number": (
        changed("max_hours: 8", "max_hours: .inf"),
        'pool.yaml:6: profiles.one.max_hours: expected a number above 0 and at most 8760, got ".inf". '
        "Write, for example, max_hours: 8",
    ),
    "number for text": (
        changed("title: Vision", "title: 12"),
        "pool.yaml:9: projects.vision.title: expected text of 1 to 80 characters, got 12. Put it in quotes.",
    ),
    "empty value": (
        changed("title: Vision", "title:"),
        "pool.yaml:9: projects.vision.title: expected text of 1 to 80 characters, got nothing. "
        "Write, for example, title: Vision group",
    ),
    "yes for true": (
        changed("{groups: [vision]}", "{everyone: yes}"),
        'pool.yaml:10: projects.vision.members.everyone: expected true or false, got "yes". '
        "Write, for example, everyone: false",
    ),
    "text for a list": (
        changed("profiles: [cpu, one]", "profiles: cpu"),
        "pool.yaml:12: projects.vision.profiles: expected a list of 1 or more, each a name of at most 40 lower-case "
        'letters, digits and hyphens, got "cpu". Write, for example, profiles: [cpu, gpu-1]',
    ),
    "empty list": (
        changed("profiles: [cpu, one]", "profiles: []"),
        "pool.yaml:12: projects.vision.profiles: expected a list of 1 or more, each a name of at most 40 lower-case "
        "letters, digits and hyphens, got a list of 0. Write, for example, profiles: [cpu, gpu-1]",
    ),
    "number in a list of names": (
        changed("groups: [vision]", "groups: [vision, 7]"),
        "pool.yaml:10: projects.vision.members.groups[1]: expected text of 1 to 255 characters, got 7. "
        "Put it in quotes.",
    ),
    "list for a mapping": (
        changed("nominal: {gpu: 2}", "nominal: [gpu]"),
        "pool.yaml:11: projects.vision.nominal: expected a mapping of key: value, got a list of 1. "
        "Write, for example, nominal: {demo-gpu: 2}",
    ),
    "none of the choices": (
        changed("gpus: 1,", "gpus: 1, preset: mirored,"),
        'pool.yaml:6: profiles.one.preset: expected one of cpu, single, mirrored, got "mirored". '
        "Write, for example, preset: single",
    ),
    "unknown engine": (
        "engine: slurm\n" + SMALL,
        'pool.yaml:1: engine: expected one of workstation, kubernetes, kueue, got "slurm". '
        "Write, for example, engine: kubernetes",
    ),
    "missing key": (
        changed("title: CPU only, ", ""),
        "pool.yaml:5: profiles.cpu.title: missing; expected text of 1 to 80 characters. "
        "Add, for example, title: One GPU",
    ),
    "misspelt key": (
        changed("gpus: 1", "gpu: 1, gpus: 1"),
        'pool.yaml:6: profiles.one.gpu: unknown key. Did you mean "gpus"?',
    ),
    "misspelt section": (
        SMALL + "que: {}\n",
        'pool.yaml:13: que: unknown key. Did you mean "queue"? '
        "Known here: engine, timezone, terms, flavours, simulated, limits, profiles, projects, datasets, queue, "
        "kubernetes, kueue, audit, notices.",
    ),
    "key of a later release": (
        changed("    nominal: {gpu: 2}", "    egress: []\n    nominal: {gpu: 2}"),
        "pool.yaml:11: projects.vision.egress: unknown key. "
        "Known here: title, members, owners, nominal, borrow, lend, weight, budget, profiles, datasets.",
    ),
    "unfit name": (
        changed("title: A GPU}", "title: A GPU}\n  GPU_2: {title: Another}"),
        "pool.yaml:3: flavours.GPU_2: expected a name of at most 40 lower-case letters, digits and hyphens, "
        'got "GPU_2". Choose another name, and write it so everywhere.',
    ),
    "number as a key": (
        changed("title: A GPU}", "title: A GPU}\n  1: {title: Another}"),
        "pool.yaml:3: flavours: expected text as a key, got 1. "
        'Put a key that looks like a number or a truth value in quotes: "1".',
    ),
    "list as a key": (
        changed("title: A GPU}", "title: A GPU}\n  [a, b]: {title: Another}"),
        "pool.yaml:3: flavours: expected text as a key, got a list or mapping. "
        'Put a key that looks like a number or a truth value in quotes: "1".',
    ),
    "key given twice": (
        SMALL.replace("    nominal: {gpu: 2}", "    nominal: {gpu: 2}\n    nominal: {gpu: 1}"),
        "pool.yaml:12: projects.vision.nominal: given twice, first on line 11. Remove one of the two.",
    ),
    "entry given twice": (
        changed("title: A GPU}", "title: A GPU}\n  gpu: {title: The same}"),
        "pool.yaml:3: flavours.gpu: given twice, first on line 2. Remove one of the two.",
    ),
    "profile of no flavour": (
        changed("flavour: gpu,", "flavour: gqu,"),
        'pool.yaml:6: profiles.one.flavour: no flavour is named "gqu". Did you mean "gpu"? Known here: gpu.',
    ),
    "nominal of no flavour": (
        changed("nominal: {gpu: 2}", "nominal: {a100: 2, gpu: 2}"),
        'pool.yaml:11: projects.vision.nominal.a100: no flavour is named "a100". Known here: gpu.',
    ),
    "borrowing of no flavour": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    borrow: {a100: 2}"),
        'pool.yaml:12: projects.vision.borrow.a100: no flavour is named "a100". Known here: gpu.',
    ),
    "lending of no flavour": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    lend: {a100: 2}"),
        'pool.yaml:12: projects.vision.lend.a100: no flavour is named "a100". Known here: gpu.',
    ),
    "more lent than there is": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    lend: {gpu: 3}"),
        "pool.yaml:12: projects.vision.lend.gpu: expected at most nominal (2), got 3. "
        "Lower it, raise nominal, or leave it out: all are lent then.",
    ),
    "budget without hours": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    budget: {per: day}"),
        "pool.yaml:12: projects.vision.budget.gpu_hours: missing; expected a number from 0 to 10000000. "
        "Add, for example, gpu_hours: 200",
    ),
    "budget of an unknown period": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    budget: {gpu_hours: 9, per: quarter}"),
        'pool.yaml:12: projects.vision.budget.per: expected one of day, week, month, year, got "quarter". '
        "Write, for example, per: month",
    ),
    "number for a budget": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    budget: 200"),
        "pool.yaml:12: projects.vision.budget: expected a mapping of key: value, got 200. "
        "Meant here: GPU-hours that its servers may use in each period. Left out: as many as they like.",
    ),
    "misspelt time zone": (
        "timezone: Europe/Berlni\n" + SMALL,
        'pool.yaml:1: timezone: no time zone is named "Europe/Berlni". Did you mean "Europe/Berlin"? '
        "Write an IANA name, such as Europe/Berlin or UTC.",
    ),
    "time zone of nowhere": (
        "timezone: ../../etc\n" + SMALL,
        'pool.yaml:1: timezone: no time zone is named "../../etc". Write an IANA name, such as Europe/Berlin or UTC.',
    ),
    "image without a digest": (
        changed("gpus: 1", "gpus: 1, image: tensorflow:latest"),
        "pool.yaml:6: profiles.one.image: expected an image with its digest, name@sha256:… (64 hexadecimal digits), "
        'got "tensorflow:latest". Write, for example, image: registry.example.org/lab/tensorflow@sha256:' + "0" * 64,
    ),
    "more shared memory than memory": (
        changed("gpus: 1", "gpus: 1, shared_memory_gib: 5"),
        "pool.yaml:6: profiles.one.shared_memory_gib: expected at most memory_gib (4), got 5. "
        "Lower it, or raise memory_gib, of which it is a part.",
    ),
    "resource without a domain": (
        changed("{title: A GPU}", "{title: A GPU, resource: gpu}"),
        "pool.yaml:2: flavours.gpu.resource: expected a name of a resource, with its domain, such as nvidia.com/gpu, "
        'got "gpu". Write, for example, resource: nvidia.com/mig-1g.10gb',
    ),
    "shared flavour without memory": (
        changed("{title: A GPU}", "{title: A GPU, shared: true}"),
        "pool.yaml:2: flavours.gpu.gpu_memory_gib: missing; expected with shared: true. "
        "Say how much of the card each may use.",
    ),
    "toleration with an unknown effect": (
        changed("{title: A GPU}", "{title: A GPU, tolerations: [{key: gpu, effect: Evict}]}"),
        "pool.yaml:2: flavours.gpu.tolerations[0].effect: expected one of NoSchedule, PreferNoSchedule, NoExecute, got "
        '"Evict". Write, for example, effect: NoSchedule',
    ),
    "node label that is none": (
        changed("{title: A GPU}", '{title: A GPU, node_labels: {"a b": c}}'),
        "pool.yaml:2: flavours.gpu.node_labels.a b: expected a name of a label, such as nvidia.com/gpu.product, got "
        '"a b". Choose another name, and write it so everywhere.',
    ),
    "dataset that leads out of the datasets": (
        SMALL + "datasets: {digits: {title: Digits, path: ../homes}}",
        "pool.yaml:13: datasets.digits.path: expected a name of a folder, without a slash at its ends, such as "
        'digits/v2, got "../homes". Write, for example, path: digits',
    ),
    "project with no such dataset": (
        changed("nominal: {gpu: 2}", "nominal: {gpu: 2}\n    datasets: [digit]")
        + "datasets: {digits: {title: Digits, path: digits}}",
        'pool.yaml:12: projects.vision.datasets[0]: no dataset is named "digit". Did you mean "digits"? '
        "Known here: digits.",
    ),
    "simulated device of no flavour": (
        changed("devices: {gpu: 4}", "devices: {gpu: 4, tpu: 1}"),
        'pool.yaml:3: simulated.nodes[0].devices.tpu: no flavour is named "tpu". Did you mean "gpu"? Known here: gpu.',
    ),
    "project with no such profile": (
        changed("[cpu, one]", "[cpu, two]"),
        'pool.yaml:12: projects.vision.profiles[1]: no profile is named "two". Known here: cpu, one.',
    ),
    "profile listed twice": (
        changed("[cpu, one]", "[cpu, one, cpu]"),
        'pool.yaml:12: projects.vision.profiles[2]: "cpu" stands in the list twice. Remove one of the two.',
    ),
    "flavour without GPUs": (
        changed("gpus: 1", "gpus: 0"),
        "pool.yaml:6: profiles.one.gpus: expected 1 or more with flavour gpu, got 0. "
        "Write gpus: 1, or remove the flavour for a CPU profile.",
    ),
    "GPUs without a flavour": (
        changed("{title: CPU only,", "{title: CPU only, gpus: 2,"),
        "pool.yaml:5: profiles.cpu.gpus: expected 0 without a flavour, got 2. "
        "Say which devices: add a flavour, or remove gpus for a CPU profile.",
    ),
    "nodes of one name": (
        changed("devices: {gpu: 4}}", "devices: {gpu: 4}}, {name: here, cpu: 1, memory_gib: 1, devices: {}}"),
        'pool.yaml:3: simulated.nodes[1].name: "here" is the name of a node above. Give each node its own name.',
    ),
    "run shorter than the shortest": (
        changed("max_hours: 8", "max_hours: 0.01"),
        "pool.yaml:6: profiles.one.max_hours: expected at least queue.shortest_minutes (5 minutes), got 0.01 hours. "
        "Raise max_hours, or lower queue.shortest_minutes.",
    ),
    "less in all than in one go": (
        changed("max_hours: 8", "max_hours: 8, max_total_hours: 6"),
        "pool.yaml:6: profiles.one.max_total_hours: expected at least max_hours (8), got 6. "
        "Raise it, or leave it out: it is max_hours then.",
    ),
    "no time in all": (
        changed("max_hours: 8", "max_hours: 8, max_total_hours: 0"),
        "pool.yaml:6: profiles.one.max_total_hours: expected a number above 0 and at most 8760, got 0. "
        "Write, for example, max_total_hours: 24",
    ),
}


@pytest.mark.parametrize(("text", "message"), ONE_MISTAKE.values(), ids=ONE_MISTAKE.keys())
def test_a_mistake_is_told_with_place_and_remedy(refused: Refused, text: str, message: str):
    assert refused(text) == [message]


def test_file_without_projects_and_profiles_is_refused(refused: Refused):
    assert [line.partition(".  ")[0].split(". ")[0] for line in refused("engine: workstation\n")] == [
        "pool.yaml:1: profiles: expected one profile or more, got none",
        "pool.yaml:1: projects: expected one project or more, got none",
    ]


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(refused: Refused):
    text = (
        SMALL.replace("title: A GPU", "title: A GPU, charge: free")
        .replace("gpus: 1", "gpus: two")
        .replace("nominal: {gpu: 2}", "nominal: {gpu: -1}\n    nominal: {}")
        .replace("[cpu, one]", "[cpu, six]")
    )
    assert [line.split(": ")[:2] for line in refused(text)] == [
        ["pool.yaml:2", "flavours.gpu.charge"],
        ["pool.yaml:6", "profiles.one.gpus"],
        ["pool.yaml:11", "projects.vision.nominal.gpu"],
        ["pool.yaml:12", "projects.vision.nominal"],
        ["pool.yaml:13", "projects.vision.profiles[1]"],
    ]


def test_profile_with_a_mistake_inside_still_counts_as_there(refused: Refused):
    assert len(refused(changed("title: One GPU, ", ""))) == 1


def test_long_wrong_text_is_shortened(refused: Refused):
    (message,) = refused(changed("title: Vision", f"title: {'x' * 5000}"))
    assert f'got "{"x" * 39}…" (5000 characters)' in message
