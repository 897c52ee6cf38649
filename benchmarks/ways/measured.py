"""One pair of student files through everything that the state is measured by: ``measured.py ATTENDANCE VISITS LIMIT``.

Prints one line of JSON: peak memory of this process in MiB, before anything is read and at the end; CPU seconds; and
the effect, or the words of the refusal.
"""

import json
import sys
import time
from pathlib import Path

from leapstudy.core.errors import BadInput
from leapstudy.core.names import ALL_DISTRICTS
from leapstudy.students.contract import SUPPORTS, Reading
from leapstudy.students.engine import connect
from leapstudy.students.handle import open_students
from leapstudy.students.settings import load_settings
from leapstudy.study.student_estimates import measure, student_answer


def peak_mib() -> float:
    """Return the most memory that this process has held, in MiB; what `resource` says may be its parent's."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def effect(attendance: str, visits: str, limit: str) -> float | str:
    """Return the effect on all visited students in points, or why there is none."""
    try:
        settings = load_settings()
        data = open_students(attendance, visits, Reading(supports=SUPPORTS), con=connect(limit, threads=2))
        answer = student_answer(measure(data, settings), ALL_DISTRICTS, "all districts", settings)
    except BadInput as refusal:
        return str(refusal)
    return "no effect" if answer.leading is None else answer.leading.estimate_pp


if __name__ == "__main__":
    before, start = peak_mib(), time.process_time()
    found = effect(*sys.argv[1:4])
    print(
        json.dumps(
            {
                "before_mib": round(before),
                "peak_mib": round(peak_mib()),
                "cpu_s": round(time.process_time() - start, 1),
                "effect_pp": found if isinstance(found, float) else None,
                "refusal": found if isinstance(found, str) else "",
            }
        )
    )
