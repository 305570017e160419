"""Papers beside the package: each a folder of models, formulas, errata, cases and their page."""
