"""The one pass over student rows that every estimator is made from.

- `pivot`: one row per student, inside the engine, and the sums of them by cell, on any engine
- `record`: the sums by cell that leave the engine, and nothing else; what a student adds to an estimate

Nothing is imported here: who only reads moments needs no engine.
"""
