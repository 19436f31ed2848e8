"""Compare two label images of the same scan, as Hostin et al. 2023 (10.1002/jmri.28708) do.

``overlap`` and ``surface`` measure geometry, ``biomarkers`` reads the maps, ``case`` makes one row
per muscle and side, and ``tables`` turns the rows of many scans into the per-muscle and the summary
table with the statistics of ``agreement`` and ``severity``.
"""
