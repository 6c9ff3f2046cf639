"""How fast it is, as ratios against a floor that is measured in the same run: `python -m bench [NAME]`.

Each module answers questions of its own and checks what it has timed: an answer that is wrong ends it with `Wrong`.
"""
