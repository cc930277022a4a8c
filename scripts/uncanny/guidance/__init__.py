"""Guidance of sampling towards a class, with classifiers or without, or towards an image.

Imports the rooms up to `datasets`.
"""
