"""What Ott et al. print: "ResNet After All?" (ICLR 2021, arXiv 2007.15386)."""

# Table 1: NFE and accuracy (%) of grid search and adaptation, by task and solver.
TABLE = {
    ("sphere2", "euler"): {"grid": ("65–129", "98.7 ± 1.0"), "adaptation": ("100.5", "98.9 ± 0.6")},
    ("cifar10", "euler"): {"grid": ("17–33", "54.7 ± 0.3"), "adaptation": ("21.9", "55.0 ± 0.8")},
}
# The steps on either side of the critical one, by task and solver.
BRACKETS = {("sphere2", "euler"): (64, 128), ("cifar10", "euler"): (16, 32)}
