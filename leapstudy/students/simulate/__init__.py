"""A SIMULATED state whose true effect is known: the default input of the student track, and its test bench."""

from leapstudy.students.simulate.blocks import Block, simulate
from leapstudy.students.simulate.config import SimulationConfig, load_config
from leapstudy.students.simulate.write import Simulation, default_simulation, require_own, write_simulation

__all__ = [
    "Block",
    "Simulation",
    "SimulationConfig",
    "default_simulation",
    "load_config",
    "require_own",
    "simulate",
    "write_simulation",
]
