"""Load a study from its config file, outside of Snakemake."""

from pathlib import Path

import yaml

from uncanny.study import checks, configuration
from uncanny.study.study import Study


def load(config: Path | str, base: Path) -> Study:
    """The checked study of a config file; base: folder of the Snakefile. Raises ValueError that
    names the key, the value and what was expected.
    """
    try:
        block = yaml.safe_load(Path(config).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{config}: not valid YAML ({error})") from None
    study = Study(configuration.validated(block, base, [config]))
    checks.check(study)
    return study
