"""The same fine-tune on Amazon SageMaker: plan, train, fetch, take down."""
