"""Pupil files: contract, check, moments, simulation. No pupil row leaves the engine."""
