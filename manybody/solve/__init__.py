"""One system: both equations in time, steady states, slow modes, levels."""
