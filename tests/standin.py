"""A stand-in for the object that Snakemake gives to scripts."""

from types import SimpleNamespace


class Named(list):
    """Snakemake's lists: by position and by name."""

    def __init__(self, *values, **named):
        super().__init__([*values, *named.values()])
        self.__dict__.update(named)

    def items(self):
        return self.__dict__.items()

    def get(self, name, default=None):
        return self.__dict__.get(name, default)


def standin(
    log,
    *,
    rule="rule",
    threads=1,
    wildcards=None,
    params=None,
    input=None,
    output=None,
    config=None,
):
    """What a script sees: snakemake.input, .output, .params, .wildcards, .log, .threads, .rule, .config."""
    return SimpleNamespace(
        input=input or Named(),
        output=output or Named(),
        params=SimpleNamespace(**(params or {})),
        wildcards=SimpleNamespace(**(wildcards or {})),
        log=Named(str(log)),
        threads=threads,
        rule=rule,
        config=config or {},
    )
