"""Models from elsewhere whose files state what they are: blocks that a config leaves to them."""

from collections.abc import Mapping

from uncanny.interop import stated

SECTIONS = {"process": "processes", "schedule": "schedules", "network": "networks"}


def completed(config: Mapping) -> dict:
    """A config in which each external model without process, schedule and network has those that
    its files state, as blocks of the model's name.

    Raises ValueError that names the model and the file.
    """
    made = {}
    for name, model in config["models"].items():
        kind = model.get("external", {}).get("kind")
        if kind in stated.KINDS and not SECTIONS.keys() & model["identity"].keys():
            made[name] = _stated(name, model, kind)
    if not made:
        return dict(config)
    models = config["models"] | {name: _named(name, config, made[name]) for name in made}
    sections = {
        section: config.get(section, {})
        | {name: blocks[key] for name, blocks in made.items() if key in blocks}
        for key, section in SECTIONS.items()
    }
    return {**config, **sections, "models": models}


def _stated(name: str, model: Mapping, kind: str) -> dict:
    try:
        return stated.KINDS[kind](model["external"]["path"])
    except ValueError as error:
        raise ValueError(f"models.{name}.external.path: {error}") from None


def _named(name: str, config: Mapping, blocks: Mapping) -> dict:
    """The model's block with an identity that names its own blocks."""
    for key in blocks.keys() & SECTIONS.keys():
        if name in config.get(SECTIONS[key], {}):
            raise ValueError(
                f"{SECTIONS[key]}.{name}: models.{name} has a block of this name from its files; "
                "expected another name"
            )
    model = config["models"][name]
    own = {key: name for key in SECTIONS if key in blocks} | {"conditional": blocks["conditional"]}
    return model | {"identity": model["identity"] | own}
