"""Water-fat separation of raw multi-echo gradient echoes; start at ``separate``."""
