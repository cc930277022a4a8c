"""Values that arXiv 2303.01748 (PSLD) prints, as CSV.

It is text in code so that a job that shows a number depends on it.
"""

import csv
import io
from functools import cache

# dataset: the name of its block. gamma: of the process, vp for VP. network: channel multipliers and
# blocks of a level. steps: evaluations, or the tolerance of RK45. n: images. Cells marked "better
# of" are the better one of Γ = 0.01 and 0.02; the order of those marked "likely" was restored from
# a shuffled text.
PUBLISHED = """\
dataset,gamma,network,sampler,times,steps,n,fid,nfe,note
cifar10,0.01,2 2 2 x 8,probability_flow,ends,0.00001,50000,2.10,246,IS 9.93
cifar10,0.01,2 2 2 x 8,probability_flow,ends,0.0001,50000,2.13,159,
cifar10,0.02,2 2 2 x 8,probability_flow,ends,0.00001,50000,2.31,231,
cifar10,0.02,2 2 2 x 8,probability_flow,ends,0.0001,50000,2.34,159,
cifar10,0.01,2 2 2 x 4,probability_flow,ends,0.00001,50000,2.41,243,
cifar10,0.02,2 2 2 x 4,probability_flow,ends,0.00001,50000,2.40,232,
cifar10,0,2 2 2 x 8,probability_flow,ends,0.00001,50000,2.80,352,without mixed score
cifar10,0.01,2 2 2 x 8,phase_euler,uniform,1000,50000,2.23,1000,
cifar10,0.02,2 2 2 x 8,phase_euler,uniform,1000,50000,2.21,1000,
cifar10,0.01,2 2 2 x 4,phase_euler,uniform,1000,50000,2.34,1000,
cifar10,0.02,2 2 2 x 4,phase_euler,uniform,1000,50000,2.30,1000,
cifar10,0,2 2 2 x 8,phase_euler,uniform,1000,50000,2.41,1000,
cifar10,0,1 2 2 2 x 2,phase_euler,quadratic,1000,50000,3.64,1000,
cifar10,0,1 2 2 2 x 2,phase_euler,uniform,1000,50000,3.60,1000,
cifar10,0.005,1 2 2 2 x 2,phase_euler,quadratic,1000,50000,3.42,1000,
cifar10,0.005,1 2 2 2 x 2,phase_euler,uniform,1000,50000,3.34,1000,
cifar10,0.01,1 2 2 2 x 2,phase_euler,quadratic,1000,50000,3.15,1000,
cifar10,0.01,1 2 2 2 x 2,phase_euler,uniform,1000,50000,2.94,1000,
cifar10,0.02,1 2 2 2 x 2,phase_euler,quadratic,1000,50000,3.26,1000,
cifar10,0.02,1 2 2 2 x 2,phase_euler,uniform,1000,50000,2.80,1000,
cifar10,0.04,1 2 2 2 x 2,phase_euler,uniform,1000,50000,2.95,1000,
cifar10,0.25,1 2 2 2 x 2,phase_euler,quadratic,1000,50000,4.99,1000,
cifar10,0.25,1 2 2 2 x 2,phase_euler,uniform,1000,50000,9.48,1000,
cifar10,vp,1 2 2 2 x 2,phase_euler,uniform,1000,50000,3.19,1000,
cifar10,0,1 2 2 2 x 2,probability_flow,ends,0.00001,10000,5.54,280,
cifar10,0,1 2 2 2 x 2,probability_flow,ends,0.0001,10000,5.62,196,
cifar10,0,1 2 2 2 x 2,probability_flow,ends,0.001,10000,6.54,147,
cifar10,0,1 2 2 2 x 2,probability_flow,ends,0.01,10000,9.98,86,
cifar10,0,1 2 2 2 x 2,probability_flow,ends,0.1,10000,397,27,
cifar10,0.02,1 2 2 2 x 2,probability_flow,ends,0.00001,10000,4.79,228,
cifar10,0.02,1 2 2 2 x 2,probability_flow,ends,0.0001,10000,4.84,158,
cifar10,0.02,1 2 2 2 x 2,probability_flow,ends,0.001,10000,5.09,111,
cifar10,0.02,1 2 2 2 x 2,probability_flow,ends,0.01,10000,16.11,69,
cifar10,0.02,1 2 2 2 x 2,probability_flow,ends,0.1,10000,418.8,27,
cifar10,vp,1 2 2 2 x 2,probability_flow,ends,0.00001,10000,5.91,123,
celeba64,0.005,1 2 2 2 x 4,phase_euler,quadratic,250,50000,2.01,250,
celeba64,0.005,1 2 2 2 x 4,probability_flow,ends,0.00001,50000,2.56,244,
celeba64,0,1 1 2 2 2 x 4,phase_euler,quadratic,1000,10000,4.59,1000,
celeba64,0,1 1 2 2 2 x 4,phase_euler,uniform,1000,10000,4.60,1000,
celeba64,0.005,1 1 2 2 2 x 4,phase_euler,quadratic,1000,10000,4.17,1000,
celeba64,0.005,1 1 2 2 2 x 4,phase_euler,uniform,1000,10000,4.37,1000,
celeba64,0.01,1 1 2 2 2 x 4,phase_euler,quadratic,1000,10000,4.22,1000,
celeba64,0.01,1 1 2 2 2 x 4,phase_euler,uniform,1000,10000,4.34,1000,
celeba64,0.02,1 1 2 2 2 x 4,phase_euler,quadratic,1000,10000,4.43,1000,
celeba64,0.02,1 1 2 2 2 x 4,phase_euler,uniform,1000,10000,4.52,1000,
celeba64,0.25,1 1 2 2 2 x 4,phase_euler,quadratic,1000,10000,93.99,1000,
celeba64,0.25,1 1 2 2 2 x 4,phase_euler,uniform,1000,10000,95.13,1000,
"""
# FID of 10,000 images, CIFAR-10, network 1 2 2 2 x 2, at 50, 100, 250, 500 and 1000 evaluations
SPEED = """\
sampler,times,gamma,50,100,250,500,1000,note
phase_euler,quadratic,0,25.01,8.91,5.97,5.61,5.70,
phase_euler,quadratic,vp,17.72,7.45,5.59,5.51,5.51,
phase_euler,quadratic,0.01 0.02,19.94,7.33,5.26,5.20,5.28,better of
phase_euler,uniform,0,119.68,45.60,9.08,5.71,5.65,likely
phase_euler,uniform,vp,84.54,41.93,12.61,5.92,5.19,likely
phase_euler,uniform,0.01 0.02,100.62,39.96,11.26,5.45,4.82,better of; likely
sscs,quadratic,0,21.31,8.37,5.82,5.75,5.69,
sscs,quadratic,0.01 0.02,16.12,7.16,5.36,5.35,5.27,better of
sscs,uniform,0,75.45,24.74,6.09,5.74,5.78,
sscs,uniform,0.01 0.02,72.42,20.46,5.19,4.92,5.29,better of
"""
MATCHED = ("dataset", "gamma", "network", "sampler", "times", "steps", "n")


@cache
def rows() -> list[dict[str, str]]:
    """All printed values, one row each."""
    printed_rows = list(csv.DictReader(io.StringIO(PUBLISHED)))
    for line in csv.DictReader(io.StringIO(SPEED)):
        for gamma in line["gamma"].split():
            for steps in ("50", "100", "250", "500", "1000"):
                cell = {"dataset": "cifar10", "gamma": gamma, "network": "1 2 2 2 x 2"}
                cell |= {key: line[key] for key in ("sampler", "times", "note")}
                value = {"steps": steps, "n": "10000", "fid": line[steps], "nfe": steps}
                printed_rows.append(cell | value)
    return printed_rows


def facts(identity: dict, sampler: dict, guidance: str) -> dict[str, str]:
    """A cell in the names of the paper's tables, from its model's identity and its sampler's block;
    where the paper has no name for it, values that its tables do not contain.
    """
    process, network = identity["process"], identity["network"]
    recipe = process.get("recipe", {})
    gamma = {"vp": "vp", "cld": "0"}.get(recipe.get("kind")) or f"{recipe.get('gamma', -1):g}"
    options = sampler["init_sampling"]
    steps = options.get("num_steps") or f"{sampler['options'].get('tol', 0):.10f}".rstrip("0")
    multipliers = " ".join(map(str, network.get("multipliers", [])))
    return {
        "dataset": identity["dataset"] if guidance == "none" else "",
        "gamma": gamma,
        "network": f"{multipliers} x {network.get('blocks')}",
        "sampler": sampler["kind"],
        "times": str(options.get("times")),
        "steps": str(steps),
    }


def printed(facts: dict[str, str]) -> dict[str, object]:
    """Printed FID, evaluations and note of a cell; NaN and no note where nothing is printed."""
    matches = (row for row in rows() if all(row[key] == facts[key] for key in MATCHED))
    row = next(matches, {"fid": "nan", "nfe": "nan", "note": ""})
    return {
        "published FID": float(row["fid"]),
        "published NFE": float(row["nfe"]),
        "published as": row["note"],
    }
