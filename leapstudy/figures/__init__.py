"""Every figure of the study as a function that takes results and returns an `Exhibit`."""
