"""How it is reached: routes, identity, bodies and live push."""
