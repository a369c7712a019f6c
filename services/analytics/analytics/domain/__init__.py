"""The rule book of figures: folds, definitions, intervals; nothing but the standard library."""
