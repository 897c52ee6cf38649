"""One question in, everything that is known about it out: both tracks, and the result file."""
