"""Any network of PyTorch as an ordered list of layers: traced, measured, cut where one tensor crosses."""
