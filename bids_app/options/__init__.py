"""What a person may choose: the settings, the command line and the YAML file made from them."""
