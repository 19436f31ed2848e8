"""The page of the cohort; call :func:`page.render_group`."""
