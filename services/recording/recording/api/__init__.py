"""HTTP for those who may read what was said."""
