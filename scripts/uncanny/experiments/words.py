"""Names in tables and figures of what experiments compare: metrics, solvers, ways to train."""

METRICS = {"kl": "marginal KL", "path_kl": "path KL", "w2": "W2", "E_S": "score part E_S"}
SOLVERS = {"sde": "reverse SDE", "heun": "Heun", "euler": "Euler"}
ARMS = {"levels": "flat levels", "weight": "flat weight", "both": "both flat"}
