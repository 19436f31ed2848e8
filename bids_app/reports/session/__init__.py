"""The page of a session; fill :mod:`content`, call :func:`page.render_session`."""
