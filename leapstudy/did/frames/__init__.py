"""Difference-in-differences of any DataFrame, its columns named by argument, with the study's own inference."""
