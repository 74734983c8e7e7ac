"""Who provides the devices: what there is, who uses it, and how a lease's processes are ended."""

from labpool.engines.engine import Bearer, Capabilities, Engine, EngineLine, Trespasser
from labpool.engines.workstation import WorkstationEngine

__all__ = ["Bearer", "Capabilities", "Engine", "EngineLine", "Trespasser", "WorkstationEngine"]
