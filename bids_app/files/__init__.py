"""Read and write single files: images, tables, sidecars, provenance, results of a session."""
