"""Guidance of sampling towards a class or an image: classifiers and their controls, inpainting.

Imports the rooms up to `datasets`.
"""
