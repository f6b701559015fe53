"""Values in, values out: data, networks, training, metrics, comparison and report, without a path or a clock."""
