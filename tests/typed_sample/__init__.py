"""A site that uses the app as README shows: what a type checker says of it is what it says of yours."""
