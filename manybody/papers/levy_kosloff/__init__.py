"""Levy and Kosloff (LK): local and global equations of two nodes."""
