"""`placet screen`: JSON lines in, JSON lines out, in the same order, on all cores.

    ends.py      how a run may end early
    lines.py    the input: blocks of whole lines, in bounded memory
    answers.py  what is said of each line
    workers.py  processes that answer blocks, and the order of their answers
    output.py   where answers go; a file of answers can be resumed after any end
    tally.py    what is counted, and the summary
    run.py      all of it together

Line N of the output always answers line N of the input. That is what makes a run resumable: whole lines in the file of
answers say how far it got.
"""

from placet.screening_cli.run import Options, cores, screen_file

__all__ = ["Options", "cores", "screen_file"]
