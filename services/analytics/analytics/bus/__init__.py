"""The Faust worker that hosts the folds, and the consumer it feeds them from."""
