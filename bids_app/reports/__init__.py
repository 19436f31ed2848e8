"""The pages people read: one self-contained HTML file per session, one for the cohort."""
