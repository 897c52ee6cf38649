"""Difference-in-differences: designs, estimates and inference, as pure functions that never touch the disk."""
