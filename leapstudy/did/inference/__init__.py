"""Every test that can be made of one treated district, and which of them leads."""
