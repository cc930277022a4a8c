"""diffusers' schedulers of discrete noise levels: process and schedule of a network's training.

No torch here: the Snakefile imports this.
"""

from collections.abc import Mapping
from pathlib import Path

from uncanny.interop.formats import _settings
from uncanny.interop.formats._settings import ANY, BETA, count, only

# Schedulers of networks that predict the noise at discrete levels, and their default beta_start
# and beta_end. They differ in how they sample, which the study's own samplers do instead.
USUAL, LATENT = (0.0001, 0.02), (0.00085, 0.012)
SCHEDULERS = {
    "DDPMScheduler": USUAL,
    "DDPMParallelScheduler": USUAL,
    "DDIMScheduler": USUAL,
    "DDIMParallelScheduler": USUAL,
    "PNDMScheduler": USUAL,
    "DPMSolverMultistepScheduler": USUAL,
    "DPMSolverSinglestepScheduler": USUAL,
    "DEISMultistepScheduler": USUAL,
    "UniPCMultistepScheduler": USUAL,
    "EulerDiscreteScheduler": USUAL,
    "EulerAncestralDiscreteScheduler": USUAL,
    "LMSDiscreteScheduler": USUAL,
    "SASolverScheduler": USUAL,
    "HeunDiscreteScheduler": LATENT,
    "DPMSolverSDEScheduler": LATENT,
    "KDPM2DiscreteScheduler": LATENT,
    "KDPM2AncestralDiscreteScheduler": LATENT,
}
# diffusers' names → kinds of schedules
SCHEDULES = {
    "linear": "linear_beta",
    "scaled_linear": "scaled_linear",
    "squaredcos_cap_v2": "cosine",
    "sigmoid": "sigmoid_beta",
}
# diffusers' names → what the network predicts
PREDICTIONS = {"epsilon": "eps", "v_prediction": "v", "sample": "x0"}
OLD_PREDICTIONS = {True: "eps", False: "x0"}  # of predict_epsilon
SETTINGS = {
    "_class_name": only(*SCHEDULERS)
    | {
        "description": "a scheduler of discrete noise levels, such as DDPMScheduler "
        "(docs/external.md lists them)"
    },
    "prediction_type": only(*PREDICTIONS),
    "predict_epsilon": only(*OLD_PREDICTIONS),  # older name of prediction_type
    "variance_type": only(
        *("fixed_small", "fixed_small_log", "fixed_large", "fixed_large_log", None),
        meaning=": the network predicts no variance",
    ),
    "num_train_timesteps": count(),
    "beta_start": BETA,
    "beta_end": BETA,
    "beta_schedule": only(*SCHEDULES),
    "trained_betas": {
        "type": ["array", "null"],
        "minItems": 1,
        "items": BETA,
        "description": "null or a list of numbers between 0 and 1",
    },
    "rescale_betas_zero_snr": only(False),
    "timestep_type": only("discrete"),
    "use_flow_sigmas": only(False),
    "use_dynamic_shifting": only(False),
    "shift_terminal": only(None),
}
SAMPLING = (  # settings that concern sampling alone
    *("clip_sample", "clip_sample_range", "thresholding", "dynamic_thresholding_ratio"),
    *("sample_max_value", "timestep_spacing", "steps_offset", "set_alpha_to_one"),
    *("skip_prk_steps", "solver_order", "algorithm_type", "solver_type", "lower_order_final"),
    *("euler_at_final", "final_sigmas_type", "lambda_min_clipped", "use_karras_sigmas"),
    *("use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas", "flow_shift"),
    *("time_shift_type", "interpolation_type", "sigma_min", "sigma_max", "predictor_order"),
    *("corrector_order", "tau_func", "predict_x0", "disable_corrector", "solver_p"),
    *("noise_sampler_seed", "tensor_format", "timestep_values"),
)


def read(path: Path) -> dict:
    """Settings of a scheduler, with defaults filled in. Raises ValueError that names file, key and
    value.
    """
    config = _settings.read(path, SETTINGS | dict.fromkeys(SAMPLING, ANY))
    low, high = SCHEDULERS[config["_class_name"]]
    levels = {"num_train_timesteps": 1000, "beta_schedule": "linear", "trained_betas": None}
    return {"beta_start": low, "beta_end": high} | levels | config


def num_levels(config: Mapping) -> int:
    """The number of noise levels T."""
    betas = config["trained_betas"]
    return int(config["num_train_timesteps"]) if betas is None else len(betas)


def schedule_block(config: Mapping) -> dict:
    """The study's noise schedule that is the scheduler's."""
    if config["trained_betas"] is not None:
        return {"kind": "listed", "betas": config["trained_betas"]}
    ends = {key: config[key] for key in ("beta_start", "beta_end")}
    kind = SCHEDULES[config["beta_schedule"]]
    return {"kind": kind} | ({} if kind == "cosine" else ends)


def process_block(config: Mapping) -> dict:
    """The study's process that is the scheduler's."""
    predicted = prediction(config)
    return {"kind": "discrete", "num_levels": num_levels(config)} | (
        {} if predicted == "eps" else {"prediction": predicted}
    )


def prediction(config: Mapping) -> str:
    """What the network predicts: "eps", "v" or "x0"."""
    old = OLD_PREDICTIONS[config.get("predict_epsilon", True)]
    return PREDICTIONS[config["prediction_type"]] if "prediction_type" in config else old
