"""What the papers share: cases, systems, curves, and the parts of a page."""
