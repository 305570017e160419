"""Pages for whoever uses the package: Markdown beside this, and what declarations generate."""
