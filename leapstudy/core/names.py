"""Every option that the package itself has, by its legal names; those of the study are in `params/state.yml`."""

import math
import re
from numbers import Integral
from typing import Any, Literal, get_args

from leapstudy.core.errors import BadInput, bad_value, shown

Track = Literal["public", "students"]
Role = Literal["main", "placebo", "sensitivity"]
Weights = Literal["equal", "students"]
Scale = Literal["points", "logodds"]
PriorName = Literal["flat", "published"]
Nesting = Literal["none", "cluster", "stratum"]

DUCKDB, SPARK_LOCAL, SPARK = "duckdb", "spark-local", "spark"
# How Spark itself writes where its workers are.
SPARK_MASTER = re.compile(r"spark://\S+|yarn|k8s://\S+|local\[(\d+|\*)\]|local-cluster\[\d+,\d+,\d+\]")

# A comparison group by its name in `params/state.yml`, or codes of one's own choice.
Comparison = str | tuple[str, ...]

# The parameters of the SIMULATED state, in `params/`.
SIMULATION = "simulation.yml"

# `district_code` of the rows that pool every treated district.
ALL_DISTRICTS = "ALL"

# Name of the pooled run and of its folder in `reports/`.
ALL_SLUG = "all-districts"

# Variable of the environment that asks exhibits for their drawings as a page shows them; a batch sets it.
FOR_PAGES = "LEAPSTUDY_FOR_PAGES"
# How an exhibit for a page stands in a notebook's outputs; no front end shows it.
PAGE = "application/vnd.leapstudy.exhibit"

# The largest number that a table holds.
LARGEST_SEED = 2**63 - 1

# What the name of a run of the student track starts with, and its folder in `reports/`.
STUDENT_SLUG = "students-"

# Phase of the units of a draw that no place was left for: the comparison group until the study ends.
WAITING = "waiting"


def options(alias: Any) -> tuple[str, ...]:
    """Return the legal names of a ``Literal`` alias, in the order of declaration."""
    return get_args(alias)


def check_option(what: str, value: object, alias: Any, next_step: str = "") -> None:
    """Raise `BadInput` unless `value` is one of the alias's names."""
    if not isinstance(value, str) or value not in options(alias):
        raise bad_value(what, value, options(alias), next_step)


def check_whole(name: str, value: object, least: int = 0, most: float = math.inf) -> None:
    """Raise `BadInput` unless `value` is a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) <= most:
        legal = f"from {least} on" if most == math.inf else f"from {least} to {most:,}"
        raise BadInput(f"{name} must be a whole number {legal}; got {shown(value)}. For example: {name}={least}.")


def check_engine(engine: str) -> str:
    """Return the name or address of an engine, or raise `BadInput` if it is none that the student track runs on."""
    if engine in (DUCKDB, SPARK_LOCAL, SPARK) or SPARK_MASTER.fullmatch(engine):
        return engine
    legal = (DUCKDB, SPARK_LOCAL, SPARK, "spark://HOST:PORT", "yarn", "k8s://HOST:PORT")
    raise bad_value("engine", engine, legal, "docs/running-elsewhere.md says what each needs.")
