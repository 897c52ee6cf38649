"""Would another analyst conclude the same: every other way to ask, and every assumption bent until the answer breaks.

`record`          what is found, as frozen records
`covariates`      regression adjustment for traits that districts had before the program
`specifications`  the specification curve
`trends`          in-time placebos, and one step up: a linear differential trend
`recovery`        the effect beyond what districts without the program recovered by themselves
`bounds`          robust bounds on departures from parallel trends, and the departure at which the answer breaks
`together`        `examine` puts them into one record, `estimate_rows` into rows of `estimates.csv`
"""

from leapstudy.did.sensitivity.record import Adjusted, Bounds, Sensitivity
from leapstudy.did.sensitivity.together import estimate_rows, examine

__all__ = ["Adjusted", "Bounds", "Sensitivity", "estimate_rows", "examine"]
