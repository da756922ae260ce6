"""What the product costs, measured beside the limits of the same machine in the same minutes: `bin/bench --help`.

Nothing of the product imports this package.
"""
