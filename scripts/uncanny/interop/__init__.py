"""Models and images from elsewhere, and ours for elsewhere. Imports the rooms up to `evaluation`,
and none of claims, tables and figures.
"""
