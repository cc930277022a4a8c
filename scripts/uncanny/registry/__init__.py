"""What a config can name, and what belongs to it: components found by name, bounds of their
options, blocks within blocks, fingerprints of code. Imports no other room, and no torch.
"""
