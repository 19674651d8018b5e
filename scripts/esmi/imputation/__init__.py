"""Ways to fill missing values, each imputation on its own and from its own seed."""
