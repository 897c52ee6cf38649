"""Would another analyst conclude the same: every other way to ask, and every assumption relaxed."""
