"""The page of the cohort: ``content.read_group_content`` and ``page.render_group``."""
