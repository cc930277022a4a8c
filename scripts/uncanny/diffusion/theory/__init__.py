"""Sources of error of a variance-exploding diffusion model, in closed form.

Everything is float64 numpy, in the variance clock lam = sigma^2: p_lam is the law of the data with
noise N(0, lam I) added. Noise levels of sampling are `sigmas` [..., N+1], falling strictly, all
positive; leading axes broadcast with those of the strength of a perturbation. Divergences are in
nats, sigma and W2 in the units of the data. (arXiv 2406.12839; Karras et al. 2022; Song et al.
2021.)
"""
