"""What the pool says of the turn that a queue of the cluster's gives or doesn't give."""

from __future__ import annotations

from labpool.domain.catalogue import Catalogue
from labpool.domain.reasons import Wait, WaitReason
from labpool.domain.tickets import Ticket
from labpool.domain.words import Sentence, count, gpus, ordinal

NO_PROMISE = "No latest time is promised: the cluster's own queue decides who is next, and it may change its mind."

TAKEN_ELSEWHERE = (
    "The cluster takes these GPUs back: for work that comes first there, or because an admin stopped the queue. "
    "Save your work: the server is stopped then, and your files stay."
)

_KEEP_PLACE = "You keep your place"
_ASK_ADMINS = f"{_KEEP_PLACE}; tell the lab's admins if it stays so."


def turn_sentence(ticket: Ticket, wait: Wait, catalogue: Catalogue) -> Sentence:
    """Why it is not a ticket's turn, for the reasons that only a queue of the cluster's has."""
    project, flavour = catalogue.projects.get(ticket.project), catalogue.flavours.get(ticket.flavour)
    line = project.title if project else ticket.project
    need = gpus(ticket.gpus, flavour.title if flavour else ticket.flavour)
    match wait.reason:
        case WaitReason.BEHIND_OTHERS:
            stands = f"You are {ordinal(wait.ahead + 1)} in the line of {line}"
            said = f"{stands}: {count(wait.ahead, 'request')} of your project {_come(wait.ahead)} first."
            return Sentence(said, "Leave the queue and ask for another kind of GPU, if one is free.")
        case WaitReason.NO_ROOM:
            said = f"You wait because no machine has room for {need} at once, though as many are free on several."
            return Sentence(said, f"{_KEEP_PLACE}; asking for fewer GPUs may start sooner.")
        case WaitReason.BESIDE_DEVICES:
            said = f"You wait because the machines with {need}, or {line}, have too little CPU, memory or disk left."
            return Sentence(said, f"{_KEEP_PLACE}; a profile with less CPU and memory may start sooner.")
        case WaitReason.COMING_BACK:
            said = (
                f"GPUs of {line} are being taken back for you from who borrowed them, who have time to save their work."
            )
            return Sentence(said, "Nothing need be done: it starts by itself as soon as they are free.")
        case _:
            return _not_of_the_pool(ticket, wait, line)


def _not_of_the_pool(ticket: Ticket, wait: Wait, line: str) -> Sentence:
    match wait.reason:
        case WaitReason.USED_ELSEWHERE:
            held = count(wait.missing, "GPU")
            return Sentence(f"You wait because other work in the cluster holds {held} of this kind.", _ASK_ADMINS)
        case WaitReason.QUEUE_STOPPED:
            return Sentence(f"You wait because the queue of {line} in the cluster is stopped or missing.", _ASK_ADMINS)
        case WaitReason.NOT_PLACED:
            said = "It was your turn, but the chosen machine had no room for your server, so it is tried again."
            return Sentence(said, _ASK_ADMINS)
        case _:
            said = f"The cluster's queue has not decided on your {count(ticket.gpus, 'GPU')} yet."
            return Sentence(said, f"{_KEEP_PLACE}; it mostly takes a second or two.")


def _come(number: int) -> str:
    return "comes" if number == 1 else "come"
