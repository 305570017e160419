"""What pages of linear coupling are about: Hamiltonian, coupling, equations and their source.

SNM is Shiraishi, Nakagawa and Mori (2025), see docs/physics.md.
"""

LINEAR = (
    "H = Σ_pq h_pq a_p†a_q, H_int = Σ_q J_q (a_q†B_q + B_q†a_q): bath q has the density D_q(ω) "
    "and the occupation f_q(ω) of its β and μ",
    "Redfield: dC/dt = −(RC + CR†) + F + F†, C_qp = ⟨a_p†a_q⟩; SNM eqs. (1)-(14)",
    "R_qk = i h_qk + J_q² [½ D_q(h) + i Δ_q(h)]_qk, F_qp = J_q² [½ f_q(h) D_q(h) + i Δ^f_q(h)]_qp,"
    " Δ the Lamb shift",
    "Davies: of R − ih and F the elements between modes of h of equal frequency alone",
)
NO_ERRORS = "Cases are computed once and have no statistical errors"
