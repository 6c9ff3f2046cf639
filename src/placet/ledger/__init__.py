"""The record that outsiders can check: canonical bytes, a Merkle tree, signed heads, a verifier that works offline."""
