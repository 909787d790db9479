//! Prints the Pulumi program that deploys Hubbub.
