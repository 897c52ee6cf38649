"""Confidential attendance rows: read, checked, sealed; what leaves is counts and moments, never a row.

============== ==================================================================================
`contract`     the tables and their columns, declared once
`engine`       DuckDB through ibis, with its messages sealed
`sources`      files to typed tables; `readers`: every shape of file to one panel of pupil-months
`rules`        what can be wrong with a row; `check` counts it, `clean` repairs it
`chronic`      chronic absence as a parameter object, in whole numbers
`handle`       the opaque handle that the study works with; `open_pupils` makes it
`pseudonyms`   keyed pseudonyms with a tell-tale prefix; `guard` withholds them in a kernel
`disclosure`   how a small count is shown
`simulate`     a SIMULATED state whose true effect is known
`moments`      the one pass over the rows that all estimators are made from
============== ==================================================================================
"""
