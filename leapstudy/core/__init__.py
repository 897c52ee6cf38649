"""What every room shares: names, errors, paths, files and the record of one estimate."""
