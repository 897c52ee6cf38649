"""Confidential attendance rows: read, checked, sealed; what leaves is counts and moments, never a row.

============== ==================================================================================
`contract`     the tables and their columns, declared once
`engine`       DuckDB through ibis, with its messages sealed
`sources`      files to typed tables; `readers`: every shape of file to one panel of student-months
`rules`        what can be wrong with a row; `check` counts it, `handle` repairs it
`handle`       the opaque handle that the study works with; `open_students` makes it
`pseudonyms`   keyed pseudonyms; `guard`: the prefix that tells them, withheld in a kernel
`disclosure`   the groups in which students are counted, and how a small count is shown
`simulate`     a SIMULATED state whose true effect is known
`moments`      the one pass over the rows that all estimators are made from
`settings`     the parameters of the track
`visits`       how far the program got with a student, counted
`lookback`     absence before a referral, counted; `referral_rule`: the rule that is found in it
`placebo`      the rule applied to months before there was any visit
`risk_changes` who was at risk with whom, and how both changed: the recommended design's two passes
============== ==================================================================================
"""
