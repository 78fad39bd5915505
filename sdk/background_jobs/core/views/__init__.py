"""The models that the API answers and the command line prints."""
