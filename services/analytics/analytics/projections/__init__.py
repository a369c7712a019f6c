"""The stored rows and how they are found again."""
