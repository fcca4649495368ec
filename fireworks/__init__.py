"""Entry points under the names that runbooks use. Nothing in ``src`` imports this, nor a package of the same name."""
