"""What travels between the pool and its clients."""

from labpool.api_models.problem import PROBLEM_MEDIA_TYPE, Problem
from labpool.api_models.spawns import (
    MOST_HOURS,
    LeasedDevice,
    LeaseToApply,
    OfferTaken,
    ServerStopped,
    SpawnAnswer,
    SpawnAsked,
    StartsAgain,
    Waiting,
)
from labpool.api_models.views import (
    DeviceTroubleView,
    FlavourView,
    FormView,
    HolderView,
    HomeView,
    LeaseView,
    NoticeView,
    OfferView,
    PoolView,
    ProfileView,
    TicketView,
    WaitView,
)

__all__ = [
    "MOST_HOURS",
    "PROBLEM_MEDIA_TYPE",
    "DeviceTroubleView",
    "FlavourView",
    "FormView",
    "HolderView",
    "HomeView",
    "LeaseToApply",
    "LeaseView",
    "LeasedDevice",
    "NoticeView",
    "OfferTaken",
    "OfferView",
    "PoolView",
    "Problem",
    "ProfileView",
    "ServerStopped",
    "SpawnAnswer",
    "SpawnAsked",
    "StartsAgain",
    "TicketView",
    "WaitView",
    "Waiting",
]
