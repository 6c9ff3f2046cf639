"""`placet backtest`: what other packs would have said of what was submitted.

    record.py    what is read of the databases, in short read-only transactions
    items.py     recorded items as Arrow batches: out of a database, into and out of a Parquet file
    judge.py     a batch and a policy -> what the policy says of each item; pure
    languages.py a guess at what a text is written in
    costs.py     what each rule takes of the time
    work.py      what a worker does with a batch: the same in this process, in a pool and on a Dask cluster
    run.py       chunk by chunk, each result in a file of its own, so that a run can be taken up where it ended
    report.py    what the results come to
    shown.py     the report as a person reads it
    command.py   the command line

Nothing of it writes to a platform. pyarrow is asked for when a backtest is begun, and not before: the extra `backtest`.
"""
