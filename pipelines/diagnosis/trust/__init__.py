"""How far one prediction can be trusted: calibration, sets, typicality, flags, missing muscles."""
