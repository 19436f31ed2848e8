"""Which models there are, and which of their files may be loaded; start at ``registry``."""
