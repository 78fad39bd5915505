"""What people and programs are shown: models that the API answers and the command line prints."""
