"""What an estimate is worth: evidence grade, power, cost, privacy."""
