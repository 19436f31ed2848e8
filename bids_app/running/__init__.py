"""How work runs: processes, Dask, memory, scratch folders, logs, and how a run ended."""
