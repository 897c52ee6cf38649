"""Estimators for visits that begin at different months, all made from one table of moments."""
