"""The initial value problem of a trained model, whoever wrote it: its field, states and head.

States are the user's: a tensor (samples, ...) or a tuple of such tensors. What computes with them
works on one matrix (samples, features).
"""

import copy
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from solverproof.errors import InputError
from solverproof.ode.integration import VectorField
from solverproof.user_code import UserCodeError, guarded, needed_arguments

State = Tensor | tuple[Tensor, ...]
Field = Callable[..., Any]
Head = Callable[[Any], Any]


@dataclass(frozen=True)
class Problem:
    """dz/dt = f(t, z) from given states to the end of an interval, and what is made of the ends.

    Attributes:
        field: f(t, z), or f(z) if `autonomous`, of states as they were given.
        start: initial states.
        interval: first and last time; the last may be the smaller one.
        head: from end states to outputs (samples, ...); None: the end states are the outputs.
        autonomous: whether the field was given as f(z).
        exact: whether everything is computed in the precision of `start`; False where a field that
            knows only float32 is evaluated in it though the states are float64.
        lands: whether the last step of an adaptive solver ends where the interval does, as in the
            study; torchdiffeq by itself steps past the end and interpolates.
    """

    field: Field
    start: State
    interval: tuple[float, float]
    head: Head | None = None
    autonomous: bool = False
    exact: bool = True
    lands: bool = False

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(_parts(self.start)[0])

    def velocity(self, t: Tensor, state: State) -> State:
        """The right-hand side at a time and states; NaN if it refuses them as not finite.

        Raises:
            UserCodeError: if the field fails at states that are finite.
        """
        try:
            with guarded("field"):
                made: State = self.field(state) if self.autonomous else self.field(t, state)
        except UserCodeError:
            if flat(state).isfinite().all():
                raise
            return _mapped(state, lambda part: torch.full_like(part, math.nan))
        return made

    def chosen(self, index: Any) -> "Problem":
        """The same with some of the samples, as an index of tensors chooses them."""
        return replace(self, start=_mapped(self.start, lambda part: part[index]))

    @property
    def parts(self) -> tuple[int, ...]:
        """How many features each part of a state has."""
        return tuple(part[0].numel() for part in _parts(self.start))

    def flat_start(self) -> Tensor:
        """The initial states as a matrix."""
        return flat(self.start)

    def unflat(self, states: Tensor) -> State:
        """States (samples, features) in the form in which they were given."""
        parts, taken = [], 0
        for part, size in zip(_parts(self.start), self.parts, strict=True):
            piece = states[:, taken : taken + size].reshape(-1, *part.shape[1:])
            parts.append(piece.to(part.dtype))
            taken += size
        return tuple(parts) if isinstance(self.start, tuple) else parts[0]

    def flat_field(self) -> VectorField:
        """dz/ds on matrices, with the time scaled so that the interval is 0 to 1."""
        first, last = self.interval
        length = last - first

        def field(s: Tensor, states: Tensor) -> Tensor:
            return length * flat(self.velocity(first + s * length, self.unflat(states)))

        return field

    def outputs(self, states: Tensor) -> Tensor:
        """What is made of end states (samples, features): shape (samples, ...)."""
        if self.head is None:
            form = states.shape[1:] if isinstance(self.start, tuple) else self.start.shape[1:]
            return states.reshape(-1, *form)
        with guarded("head"):
            made = self.head(self.unflat(states))
        if not isinstance(made, Tensor) or made.shape[:1] != states.shape[:1]:
            raise InputError(f"head returns {_form(made)}; return a tensor (samples, outputs)")
        return made

    def in_double(self) -> "Problem":
        """The same in float64: modules are copied and converted, other code is tried with it."""
        start = _mapped(self.start, lambda part: part.double())
        now = torch.as_tensor(self.interval[0], dtype=torch.float64, device=device_of(start))
        single = _parts(self.start)[0].dtype
        arguments = (start,) if self.autonomous else (now, start)
        field, exact = _double(self.field, arguments, single)
        head, exact_head = _double(self.head, (start,), single) if self.head else (None, True)
        return replace(self, field=field, start=start, head=head, exact=exact and exact_head)


def problem(field: Any, z0: Any, interval: Any, head: Any) -> Problem:
    """The problem of a model, after it was checked that it is one.

    Modules are copied, so that nothing of the user's is changed.

    Raises:
        InputError: if the states, the interval or the field cannot be used; in one line.
    """
    start, first_last = _states(z0), _interval(interval)
    if not callable(field):
        raise InputError(f"field is {type(field).__name__}; give a function or module f(t, z)")
    if head is not None and not callable(head):
        raise InputError(f"head is {type(head).__name__}; give a function or module of end states")
    made = Problem(
        _own(field), start, first_last, None if head is None else _own(head), _takes_no_time(field)
    )
    _check_field(made)
    return made


def flat(state: State) -> Tensor:
    """States as one matrix (samples, features)."""
    return torch.cat([part.reshape(len(part), -1) for part in _parts(state)], 1)


def device_of(state: State) -> torch.device:
    """Where states are."""
    return _parts(state)[0].device


def module_of(code: Any) -> nn.Module | None:
    """The module that code is, or whose method it is."""
    owner = code.__self__ if isinstance(code, MethodType) else code
    return owner if isinstance(owner, nn.Module) else None


def _parts(state: State) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _mapped(state: State, change: Callable[[Tensor], Tensor]) -> State:
    parts = tuple(change(part) for part in _parts(state))
    return parts if isinstance(state, tuple) else parts[0]


def _states(z0: Any) -> State:
    parts = z0 if isinstance(z0, tuple) else (z0,)
    if not parts or not all(isinstance(part, Tensor) for part in parts):
        raise InputError(f"z0 is {_form(z0)}; give a tensor (samples, ...) or a tuple of tensors")
    for part in parts:
        if not part.is_floating_point():
            raise InputError(f"z0 has dtype {part.dtype}; states are real numbers: z0.float()")
        if part.dtype not in {torch.float32, torch.float64}:
            raise InputError(f"z0 has dtype {part.dtype}; give float32 or float64: z0.float()")
        if part.dim() < 1 or part.numel() == 0:
            raise InputError(f"z0 has shape {tuple(part.shape)}; give one with samples in front")
        if not part.isfinite().all():
            raise InputError("z0 has values that are not finite; remove those samples")
    if len({(len(part), part.dtype, part.device) for part in parts}) > 1:
        raise InputError("the parts of z0 differ in samples, dtype or device; make them equal")
    return _mapped(z0, lambda part: part.detach().clone())


def _interval(interval: Any) -> tuple[float, float]:
    try:
        first, last = (float(end) for end in interval)
    except (TypeError, ValueError) as error:
        raise InputError(f"interval is {interval!r}; give two times, (0.0, 1.0)") from error
    if not (math.isfinite(first) and math.isfinite(last)) or first == last:
        raise InputError(f"interval is {(first, last)}; give two finite times that differ")
    return first, last


def _own(code: Any) -> Any:
    """A copy of a module, or of the module whose method it is; another function as it is.

    Raises:
        UserCodeError: if a module cannot be copied.
    """
    module = module_of(code)
    if module is None:
        return code
    held = tree_leaves([vars(part) for part in module.modules()])
    # What a module keeps of its last call, a time or a normed weight, may hang on a graph, which
    # PyTorch refuses to copy; the value alone will do.
    kept = {id(value): value for value in held if isinstance(value, Tensor) and not value.is_leaf}
    with guarded(type(module).__name__):
        own = copy.deepcopy(module, {name: value.detach().clone() for name, value in kept.items()})
    return own if code is module else MethodType(code.__func__, own)


def _takes_no_time(field: Any) -> bool:
    """Whether a field is f(z) and not f(t, z)."""
    try:
        code = field.forward if isinstance(field, nn.Module) else field
        taken, needed = inspect.signature(code).parameters.values(), needed_arguments(code)
    except (TypeError, ValueError):  # built in, without a signature
        return False
    if needed > 2:
        raise InputError(f"field takes {needed} arguments; give f(t, z) or f(z)")
    return needed == 1 and not any(p.kind is inspect.Parameter.VAR_POSITIONAL for p in taken)


def _check_field(made: Problem) -> None:
    """The form of the velocity, that it is the same twice, and that it stays what it was."""
    now = torch.as_tensor(made.interval[0], dtype=_parts(made.start)[0].dtype)
    now = now.to(device_of(made.start))
    start = _mapped(made.start, lambda part: part.clone())
    one = made.velocity(now, start)
    if _form(one) != _form(made.start):
        raise InputError(
            f"field maps states {_form(made.start)} to {_form(one)}; it must keep their form"
        )
    if not torch.equal(flat(start), flat(made.start)):
        raise InputError("field changes the states it is given; compute with a clone of them")
    kept = flat(one).clone()
    other = made.velocity(now, start)
    if not torch.equal(flat(other).nan_to_num(), kept.nan_to_num()):
        raise InputError(
            "two evaluations of the field at one state differ; take randomness out of it "
            "(dropout: call .eval())"
        )
    # Solvers keep several results at a time.
    made.velocity(now, _mapped(made.start, lambda part: part / 2))
    if not torch.equal(flat(one).nan_to_num(), kept.nan_to_num()):
        raise InputError("field writes into its earlier result; return a new tensor every time")


def _form(value: Any) -> str:
    """Shape, dtype and device of a state, in words."""
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')} on {value.device}"
    if isinstance(value, (tuple, list)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return f"{kind} of {', '.join(map(_form, value))}" if value else f"empty {kind}"
    return type(value).__name__


def _double(code: Any, arguments: tuple[Any, ...], single: torch.dtype) -> tuple[Any, bool]:
    """Code in float64, and whether it really is; else it is its own, between conversions."""
    wide = _own(code)
    if module := module_of(wide):
        module.double()
    try:
        with guarded("field"):
            made = wide(*arguments)
        if all(part.dtype == torch.float64 for part in _parts(made)):
            return wide, True
    except UserCodeError:  # constants in float32, or a module that a function holds
        pass

    def converted(*given: Any) -> Any:
        made = code(*(_mapped(value, lambda part: part.to(single)) for value in given))
        return _mapped(made, lambda part: part.double())

    return converted, False
