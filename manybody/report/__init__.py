"""Store -> the answer: averages, laws of size, figures, tables, one document."""
