"""The page and the summary."""
