"""The families of controllers. This list is not part of a job's identity, a family's code is."""

FAMILIES = {
    "adaptation": "solverproof.training.controllers.paper_rule:PaperRule",
    "random": "solverproof.training.controllers.random_steps:RandomSteps",
    "set_point": "solverproof.training.controllers.set_point:SetPointRule",
    "module": "solverproof.training.controllers.user_class:UserController",
}
