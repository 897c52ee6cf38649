"""Controls for a notebook: change a choice, see the answer."""
