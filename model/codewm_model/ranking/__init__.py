"""Fits the where-next blend on the histories of other repositories."""
