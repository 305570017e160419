"""How far a generator is from completely positive: its Kossakowski matrix on traceless operators.

With orthonormal operators F_i every generator that keeps trace and Hermiticity is
−i[H, ρ] + Σ_ij a_ij (F_iρF_j† − ½{F_j†F_i, ρ}) over the traceless ones, and e^{Lt} is completely
positive for all t >= 0 exactly where a is positive (Gorini, Kossakowski and Sudarshan, J. Math.
Phys. 17, 821 (1976)).  a is the Choi matrix of L on the complement of the vec of the identity.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from manybody.arrays import Complex
from manybody.errors import InputError, InputTypeError
from manybody.physics import arguments
from manybody.physics.underflow import zero_where_tiny

# Of a generator that takes Hermitian operators to Hermitian ones.
_HERMITICITY = 1e-10


def choi_matrix(liouvillian: Any) -> Complex:
    """Choi matrix Σ_ab L[|a⟩⟨b|] ⊗ |a⟩⟨b| of a generator or a map, in rows (a, c) as of vec(F).

    Parameters
    ----------
    liouvillian : Liouvillian or (D², D²) array
        On the row-major vec, index a D + b.

    Returns
    -------
    (D², D²) array of complex
        Of L = Σ a_ij F_i · F_j† it is Σ a_ij vec(F_i) vec(F_j)†.

    Raises
    ------
    InputError
        It is no finite matrix of D² rows and columns.

    Notes
    -----
    Gorini, Kossakowski and Sudarshan, J. Math. Phys. 17, 821 (1976); docs/physics.md section 11.

    Examples
    --------
    >>> import numpy as np
    >>> import manybody as mb
    >>> mb.choi_matrix(np.eye(4)).real  # of the map ρ → ρ: vec(1) vec(1)†
    array([[1., 0., 0., 1.],
           [0., 0., 0., 0.],
           [0., 0., 0., 0.],
           [1., 0., 0., 1.]])
    """
    matrix = _checked(liouvillian)
    n = round(np.sqrt(len(matrix)))
    whole: Complex = matrix.reshape(n, n, n, n).transpose(0, 2, 1, 3).reshape(n * n, n * n)
    return whole


@zero_where_tiny
def choi_eigenvalue(liouvillian: Any) -> float:
    """Smallest eigenvalue of the Kossakowski matrix of a generator.

    Parameters
    ----------
    liouvillian : Liouvillian or (D², D²) array
        As of `choi_matrix`, D >= 2.

    Returns
    -------
    float
        In J: >= 0 to rounding exactly for completely positive dynamics; how far below 0 is the
        largest rate of a jump with a negative probability.

    Raises
    ------
    InputError
        D = 1, which has no traceless operators, or it does not keep Hermiticity.

    Notes
    -----
    Gorini, Kossakowski and Sudarshan, J. Math. Phys. 17, 821 (1976).  For small D: an eigenvalue
    problem of D² rows.

    Examples
    --------
    >>> import manybody as mb
    >>> model, bath = mb.dirac_syk2(n_sites=4, seed=7), mb.OhmicBath(0.2, 10.0, 5.0)
    >>> mb.choi_eigenvalue(mb.redfield_liouvillian(model, bath)) < -1e-4
    True
    >>> mb.choi_eigenvalue(mb.davies_liouvillian(model, bath)) > -1e-12
    True
    """
    choi = choi_matrix(liouvillian)
    n = round(np.sqrt(len(choi)))
    if n < 2:
        raise InputError("liouvillian of one state: at least two are needed")
    asymmetry = float(np.abs(choi - choi.conj().T).max())
    if asymmetry > _HERMITICITY * float(np.abs(choi).max()):
        raise InputError(
            f"liouvillian takes Hermitian operators to others: its Choi matrix is off by "
            f"{asymmetry:.3g}"
        )
    return float(np.linalg.eigvalsh(_traceless(0.5 * (choi + choi.conj().T), n))[0])


def _traceless(choi: Complex, n: int) -> Complex:
    """(n² − 1, n² − 1) in an orthonormal basis of the complement of vec(1).

    A Householder reflection takes vec(1)/√n to the first unit vector, so that the others do.
    """
    axis = np.eye(n).ravel() / np.sqrt(n)
    axis[0] += 1.0
    axis /= np.linalg.norm(axis)
    half = choi - 2.0 * np.outer(axis, axis @ choi)
    whole: Complex = half - 2.0 * np.outer(half @ axis, axis)
    return whole[1:, 1:]


def _checked(liouvillian: Any) -> NDArray[Any]:
    given = liouvillian.toarray() if hasattr(liouvillian, "toarray") else liouvillian
    matrix: NDArray[Any] = arguments.array("liouvillian", given)
    if matrix.ndim != 2 or matrix.dtype.kind not in "iufc":
        raise InputTypeError(
            f"liouvillian of shape {matrix.shape} and dtype {matrix.dtype}, of type "
            f"{type(liouvillian).__name__}: a (D², D²) matrix on the row-major vec of ρ is needed"
        )
    n = round(np.sqrt(len(matrix)))
    if matrix.shape != (n * n, n * n) or n == 0:
        raise InputError(f"liouvillian has shape {matrix.shape}: must be (D², D²)")
    if not np.isfinite(matrix).all():
        raise InputError("liouvillian: all entries must be finite")
    return matrix
