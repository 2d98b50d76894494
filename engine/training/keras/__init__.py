"""The trainer that runs any combination in Keras."""
