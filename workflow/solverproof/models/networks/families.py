"""The families of networks. This list is not part of a job's identity, a family's code is."""

FAMILIES = {
    "conv": "solverproof.models.networks.conv:Conv",
    "mlp": "solverproof.models.networks.mlp:MLP",
    "module": "solverproof.models.networks.module:Module",
}
