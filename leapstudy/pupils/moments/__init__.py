"""The one pass over pupil rows that every estimator is made from.

============== ==================================================================================
`record`       the sums by cell that leave the engine
`pivot`        one row per pupil, inside the engine; `expression` sums the rows by cell
`influence`    what a pupil adds to an estimate, and the variance that follows
============== ==================================================================================

Nothing is imported here: who only reads moments needs no engine.
"""
