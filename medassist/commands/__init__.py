"""The verbs of `medassist`, one file each; `medassist.cli` lists them."""
