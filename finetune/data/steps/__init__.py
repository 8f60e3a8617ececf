"""What is done with each record: pure functions, without a pipeline around them."""
