"""What a lottery of starts earns: its own redraws, effects of the offer and of being visited, bounds for leavers."""
