"""The one pass over pupil rows that every estimator is made from."""
