"""Every reason for which the gateway shows no TensorBoard, in words."""

from __future__ import annotations

from labpool.hub_signin import Refusal

from labpool_logs.gateway.log_store import Unsafe


def no_address() -> Refusal:
    """The address can't name a project."""
    return Refusal(
        404,
        "no_address",
        "There is nothing at this address",
        "Addresses here look like /logs/<user>/<project>/, with plain names.",
        "Open /logs/ for the list of your projects.",
    )


def not_yours() -> Refusal:
    """Somebody else's address: the same answer whether or not there is anything."""
    return Refusal(
        403,
        "not_yours",
        "Only its owner can look at this",
        "These logs belong to another user, if there are any.",
        "Open /logs/ for the list of your own projects.",
    )


def not_a_user() -> Refusal:
    """A service's token, which owns no logs."""
    return Refusal(
        403,
        "not_a_user",
        "Only users have logs",
        "The token belongs to a service of the hub, and logs belong to users.",
        "Use the token of the user whose logs you need.",
    )


def method_not_allowed() -> Refusal:
    """TensorBoard only reads."""
    detail = "Logs can't be changed here: expected GET, HEAD or POST."
    return Refusal(405, "method_not_allowed", "TensorBoard only reads", detail, "Use one of these methods.")


def body_too_large() -> Refusal:
    """More than TensorBoard's page ever sends."""
    detail = "Expected a body of at most 4 MiB."
    return Refusal(413, "body_too_large", "This request is too large", detail, "Ask for fewer runs or tags at once.")


def unsafe_folder(unsafe: Unsafe) -> Refusal:
    """The folder holds what could show other people's files."""
    return Refusal(
        409,
        "unsafe_folder",
        "This project's folder can't be shown",
        f"{unsafe.path} is {unsafe.what}. TensorBoard would follow it out of the folder, so nothing of the project is "
        "shown. In the demo all accounts share one account of the machine, so files protect nobody there.",
        "Remove it or replace it by a copy, then open this address again.",
    )


def start_failed(retry_url: str) -> Refusal:
    """TensorBoard didn't start; the log says more."""
    return Refusal(
        503,
        "start_failed",
        "TensorBoard did not start",
        "It ended or gave no answer. The log of the service has its last words.",
        "Try again; if it happens again, tell an administrator the reference below.",
        retry_after=5,
        retry_url=retry_url,
    )
