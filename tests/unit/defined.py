"""Data sets, models and jobs as JSON describes them; rows of tables as dictionaries."""

from dataclasses import replace

from solverproof.datasets.base import DataSet
from solverproof.datasets.published import obtain_images
from solverproof.evaluation import cross_solver
from solverproof.evaluation.specifications import EvaluationSpec
from solverproof.files import columns, write_table
from solverproof.models.neural_ode import neural_ode
from solverproof.models.specifications import Model
from solverproof.training import loop
from solverproof.training.specifications import ControlledTraining, SettingTraining, Training


def made(definition):
    """The arrays of a data set."""
    return DataSet.from_json(definition).make(obtain_images)


def sample_shape(definition):
    return DataSet.from_json(definition).sample_shape()


def classifier_of(model, shape):
    return neural_ode(Model.from_json(model), shape)


def training_of(spec):
    """The specification of a training, from JSON."""
    kind = {"setting": SettingTraining, "controller": ControlledTraining}
    return next((kind[key] for key in kind if key in spec), Training).from_json(spec)


def trained(spec, data, schedule, **options):
    """What training returns, with rows of its history as dictionaries."""
    result = loop.train(training_of(spec), data, schedule, **options)
    return replace(result, history=[vars(row) for row in result.history])


def evaluated(spec, data, parameters, run, *, reference=False):
    """Rows of an evaluation as dictionaries, those of the reference or all others."""
    found = cross_solver.evaluate(EvaluationSpec.from_json(spec), data, parameters, run)
    return [vars(row) for row in found.rows if (row.test_solver == "reference") == reference]


def row_of(row_type, **values):
    """A row of a table in which only some columns matter."""
    return row_type(**dict.fromkeys(columns(row_type)) | values)


def autonomous(field):
    """A field of the state alone as one of time and state."""
    return lambda _, z: field(z)


def written_table(path, row_type, rows):
    """Write rows given as dictionaries."""
    write_table(path, row_type, [row_of(row_type, **row) for row in rows])
