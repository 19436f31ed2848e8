"""The stored model and its card; call :func:`store.save_model` and :func:`store.load_model`."""
