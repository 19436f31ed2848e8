"""The pages people read: one self-contained HTML file per session."""
