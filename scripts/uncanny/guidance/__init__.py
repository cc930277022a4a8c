"""Guidance of sampling towards a class or an image: classifiers and their controls,
classifier-free guidance, inpainting.

Imports the rooms up to `datasets`.
"""
