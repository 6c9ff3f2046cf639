"""Policy: packs, rules and the verdicts that they give."""
