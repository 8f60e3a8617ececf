"""Records of each user, under a passphrase that nobody else has."""
