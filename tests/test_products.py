import numpy as np
import pytest

from manybody.arrays import product


def random(rng, shape, kind):
    x = rng.normal(size=shape)
    return x + 1j * rng.normal(size=shape) if kind is complex else x


@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize(("left", "right"), [(float, float), (float, complex), (complex, complex)])
@pytest.mark.parametrize(("n", "k", "m"), [(1, 1, 1), (3, 5, 2), (40, 30, 50), (1, 7, 64)])
def test_product(rng, left, right, n, k, m, add):
    a, b = random(rng, (n, k), left), random(rng, (k, m), right)
    out = random(rng, (n, m), right)
    expected = a @ b + (out if add else 0.0)
    product(a, b, out, add)
    np.testing.assert_allclose(out, expected, atol=1e-13)


def test_a_result_that_is_not_c_ordered_is_refused(rng):
    a = rng.normal(size=(4, 4))
    with pytest.raises(ValueError, match="C-ordered"):
        product(a, a, np.zeros((4, 8))[:, ::2])
