"""What is said to each answer. The answers are those of a real API server with Kueue 0.19.2, word for word."""

from __future__ import annotations

import pytest
from labpool.cluster.answers import ClusterRefused, ClusterUnavailable, holders_in, make_sure

FORBIDDEN = (
    'clusterqueues.kueue.x-k8s.io is forbidden: User "system:serviceaccount:servers:pool" cannot create resource '
    '"clusterqueues" in API group "kueue.x-k8s.io" at the cluster scope'
)
DENIED = (
    'admission webhook "vclusterqueue.kb.io" denied the request: spec.resourceGroups[0].flavors[0].resources[3]'
    '.lendingLimit: Invalid value: "9": must be less than or equal to the nominalQuota'
)
WEBHOOK = (
    'Internal error occurred: failed calling webhook "vclusterqueue.kb.io": failed to call webhook: Post '
    '"https://127.0.0.1:21942/validate-kueue-x-k8s-io-v1beta2-clusterqueue?timeout=10s": dial tcp 127.0.0.1:21942: '
    "connect: connection refused"
)


def test_what_our_role_lacks_is_named():
    with pytest.raises(ClusterRefused) as refused:
        make_sure(403, {"message": FORBIDDEN}, "set ClusterQueue labpool-vision")
    assert str(refused.value) == (
        'We may not set ClusterQueue labpool-vision. Add the verb "create" for the resource "clusterqueues" of the API '
        f'group "kueue.x-k8s.io" to our role; docs/kubernetes.md has it whole. The API server says: {FORBIDDEN}'
    )


def test_what_kueue_refuses_is_told_in_its_words():
    with pytest.raises(ClusterRefused, match=r"We can't set it\. The API server says: admission webhook .* denied"):
        make_sure(403, {"message": DENIED}, "set it")


def test_namespace_that_is_not_there_is_told_with_the_key_of_pool_yaml():
    with pytest.raises(ClusterRefused) as refused:
        make_sure(404, {"message": 'namespaces "nowhere" not found'}, "set LocalQueue vision")
    assert str(refused.value) == (
        'We can\'t set LocalQueue vision: namespaces "nowhere" not found. Make it, or name another in kueue.namespace '
        "of pool.yaml."
    )


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (500, WEBHOOK, "Kueue gives no answer, so we can't set it. Look at its pods"),
        (429, "storage is (re)initializing", "We can't set it at the moment. Try again soon."),
        (503, "", "We can't set it at the moment. Try again soon. The API server says: status 503"),
    ],
)
def test_what_is_down_for_a_while_is_no_refusal(status: int, message: str, expected: str):
    with pytest.raises(ClusterUnavailable) as away:
        make_sure(status, {"message": message}, "set it")
    assert str(away.value).startswith(expected)


def test_who_has_set_a_field_is_read_from_the_conflict():
    message = 'conflict with "kubectl-edit" using kueue.x-k8s.io/v1beta2'
    fields = (".spec.queueingStrategy", ".metadata.labels.labpool/cohort")
    causes = [{"reason": "FieldManagerConflict", "message": message, "field": field} for field in fields]
    assert holders_in({"message": "Apply failed with 2 conflicts", "details": {"causes": causes}}) == {
        "spec.queueingStrategy": "kubectl-edit",
        "labels.labpool/cohort": "kubectl-edit",
    }
