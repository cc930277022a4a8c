"""Raw networks F: one module per kind, found by name, called as network(x, noise, labels=None).

x is [N, C, H, W] (or [N, D] for `mlp`), noise the [N] noise condition (c_noise or t), labels
one-hot [N, K] or None. Without labels a conditional network sees rows of zeros.

Submodules are named as in the checkpoints: renaming one makes old weights unreadable. The order in
which they are built fixes the initial weights of a seed.

List defaults (noqa B006) are only read: the options of a config are lists, and a default must
compare equal to the same value written out there.
"""
