"""The pair of models as an API for programs: closed by default, one engine, a queue."""
