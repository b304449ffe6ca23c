"""Encoders: clips (N, C, T, V, M) → features. One file each; `ENCODERS` names them."""
