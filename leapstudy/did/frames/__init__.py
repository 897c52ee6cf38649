"""Difference-in-differences of any DataFrame: its columns are named by argument, and the study's own inference is used.

`read`         a frame as matrices of units by times; what cannot be carried is refused in words
`results`      what every result has: `to_frame`, `finding`, `plot`, a short `repr`
`two_sides`    `diff_in_diff`, `event_study`: one start
`robustness`   `placebo`, `sensitivity`
`cohorts`      `att_gt`: starts of their own
"""
