"""What every exhibit looks like: widths, colors with one meaning each, the face and its sizes.

Fill, size and a label beside the mark say the same without color.
"""

import base64
from functools import cache
from pathlib import Path

# Inches: 720 and 344 pixels of a page.
WIDE, NARROW = 7.2, 3.44
# The program or its district, its band, the comparison, what stands behind, zero and published claims, a warning.
OWN, BAND, COMPARISON, CONTEXT, INK, WARNING = "#0B62A8", "#D3E4F3", "#5C5C5C", "#B9B9B9", "#1B1B1B", "#B4501E"
# Between the program's color and its band: a second interval, a middle shade.
TINT = "#9DC2E3"
# What is no figure: a gap between years, a month that is partly before and partly after, a band of prediction.
SHADE = "#EFEFEF"
COLORS = (OWN, TINT, BAND, COMPARISON, CONTEXT, INK, WARNING)
FACE = "Public Sans"
# Files of the face, and the weights that each is shown for.
FACES = {"PublicSans-Regular.ttf": "400", "PublicSans-SemiBold.ttf": "600 700"}
# Points of type; nothing is smaller than the last.
TITLE, TEXT, SMALL = 13.0, 10.0, 8.5
# Inches left and right of all text.
MARGIN = 0.1


@cache
def faces() -> str:
    """Return the face as style rules that hold it: a page opened from a disk may load no file of another folder."""
    rules = []
    for name, weight in FACES.items():
        data = base64.b64encode((Path(__file__).parent / "fonts" / name).read_bytes()).decode("ascii")
        rules.append(
            f'@font-face {{ font-family: "{FACE}"; font-weight: {weight}; '
            f'src: url("data:font/ttf;base64,{data}") format("truetype"); }}\n'
        )
    return "".join(rules)
