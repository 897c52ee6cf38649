"""The one pass over student rows that every estimator is made from.

============== ==================================================================================
`pivot`        one row per student, inside the engine: district and cohort, days and outcome by month
`expression`   the one expression: students to sums by cell, on any engine; and their table as the record, checked
`record`       the sums by cell that leave the engine, and nothing else; what a student adds to an estimate
============== ==================================================================================

Nothing is imported here: who only reads moments needs no engine.
"""
