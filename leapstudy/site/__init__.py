"""From results to people: figures, tables, words, pages."""
