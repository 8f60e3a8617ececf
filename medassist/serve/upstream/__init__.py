"""An engine that exists already, elsewhere or in another process, in place of ours."""
