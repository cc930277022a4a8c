"""Import and export models and sample sets. Imports the rooms up to `evaluation`, and none of
claims, tables and figures.
"""
