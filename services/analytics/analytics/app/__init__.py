"""What is done with a batch of facts and with a question."""
