"""The state's published figures: declared, checked, cleaned in the open."""
