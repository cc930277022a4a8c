"""Values that the paper prints in its tables A.2 to A.6 (arXiv 2402.13369), as CSV.

It is text in code so that a job that shows a number depends on it.
"""

import csv
import io
from functools import cache

# Minutes on one NVIDIA A100; batch size of sampling and precision are not stated. `process` and
# `sampler` have the names of this study, `any` stands for all. nfe: evaluations per image, not
# printed for the SDE samplers: `basis` says how sure they are (stated; anchored: fits the steps
# that Karras et al. document; inferred: from the minutes alone). sure: whether the position of
# the cell in the printed table is certain (sure), reconstructed (likely) or a guess (unsure).
TIMES = """\
table,what,process,config,conditional,guidance,sampler,minutes,sure,nfe,basis,note
A.5,training,ddpm,sigmoid,no,,,298,sure,,,
A.5,training,ddpm,cosine,no,,,300,sure,,,
A.5,training,ddpm,linear 0.25,no,,,298,sure,,,
A.5,training,ddpm,linear 0.5,no,,,329,sure,,,10 % above the other schedules without a reason given
A.5,training,ddpm,linear 0.75,no,,,299,sure,,,
A.5,training,ddpm,linear 1,no,,,298,sure,,,
A.5,training,vp,any,yes,,,400,sure,,,
A.5,training,vp,any,no,,,400,sure,,,
A.5,training,ve,any,yes,,,408,sure,,,
A.5,training,ve,any,no,,,408,sure,,,
A.5,sampling,ddpm,any,no,none,MARK,90,sure,1000,stated,
A.5,sampling,ddpm,any,no,none,DDIM,89,sure,999,stated,
A.5,sampling,ddpm,any,no,G1,MARK,132,sure,1000,stated,
A.5,sampling,ddpm,any,no,G1,DDIM,231,sure,999,stated,no time for the untrained classifier
A.5,sampling,any,any,any,none,EUL0,7,likely,36,inferred,one number for both SDEs
A.5,sampling,vp,any,any,none,EUL,79,likely,512,anchored,that of VP parameters in A.6
A.5,sampling,vp,any,any,none,HEUN,39,sure,255,anchored,
A.5,sampling,ve,any,any,none,HEUN,133,sure,799,inferred,
A.5,sampling,any,any,any,none,HEDM,7,sure,35,anchored,one number for both SDEs
A.5,sampling,any,any,yes,none,STOc,171,unsure,1023,inferred,one number; SDE not stated
A.5,sampling,vp,any,no,none,STOc,82,unsure,511,anchored,cell reads 82 / 400; order assumed
A.5,sampling,ve,any,no,none,STOc,400,unsure,2047,inferred,cell reads 82 / 400; order assumed
A.6,sampling,any,any,any,none,EULvp,79,sure,512,anchored,one number for both SDEs
A.6,sampling,any,any,any,none,HEUNvp,39,sure,255,anchored,one number for both SDEs
A.6,sampling,any,any,any,none,STOi,74,sure,511,anchored,one number for both SDEs
"""

STOCHASTIC = """\
sampler,process,S_churn,S_tmin,S_tmax,S_noise
STOc,vp,30,0.01,1,1.007
STOc,ve,80,0.05,1,1.007
STOi,any,40,0.05,50,1.003
"""

HYPER_PARAMETERS = """\
parameter,NCSNv2,DDPM,NCSN++,DDPM++
batch size,32,32,32,32
EMA,0.999,0.999,0.999,0.999
dropout,0.13,0.13,0.13,0.13
learning rate,0.0001,0.001,0.001,0.001
optimiser,Adam,Adam,Adam,Adam
diffusion steps,,1000,,
depth,,4,,
attention resolutions,,dataset specific,16,16
resampling filter,bilinear,box,bilinear,box
noise embedding,,positional,Fourier,positional
encoder skip connections,residual,,residual,
"""

# Depth, attention and pooling are options of the published code of Dhariwal and Nichol (2021).
CLASSIFIER = """\
parameter,value
width,64
channel multipliers,"1, 2, 4"
residual blocks per level,2
attention resolutions,"16, 8, 4"
channels per head,64
scale-shift norm,yes
resampling,residual
pooling,attention
batch size,32
epochs,200
"""


@cache
def rows(text: str) -> list[dict[str, str]]:
    """Rows of a table of this module."""
    return list(csv.DictReader(io.StringIO(text)))


def time_of(record: dict, facts: dict) -> dict[str, str] | None:
    """The printed time that a timing record corresponds to, or None.

    record: with what, and for sampling sampler and guidance. facts: process, config and conditional
    (yes or no) of the model.
    """
    wanted = facts | {k: record[k] for k in ("sampler", "guidance") if record["what"] == "sampling"}
    for row in rows(TIMES):
        if row["what"] == record["what"] and all(
            row[key] in (value, "any") for key, value in wanted.items()
        ):
            return row
    return None


def stochastic(sampler: str, process: str) -> str:
    """S_churn, S_tmin, S_tmax and S_noise as printed, or nothing."""
    for row in rows(STOCHASTIC):
        if row["sampler"] == sampler and row["process"] in (process, "any"):
            return ", ".join(list(row.values())[2:])
    return ""


def column(text: str, name: str) -> dict[str, str]:
    """One column of a table whose rows are parameters: parameter → printed value."""
    return {row["parameter"]: row.get(name, "") for row in rows(text)}
